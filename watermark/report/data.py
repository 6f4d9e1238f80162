"""All numbers of a report in one JSON-ready dictionary; the page is drawn from it and from nothing else."""

import json
import math
from importlib import resources
from typing import Any

from watermark.report.evidence import day
from watermark.report.published import twins
from watermark.report.rows import Json, Run
from watermark.report.sections import cells as cell_section
from watermark.report.sections.breakdown import breakdown
from watermark.report.sections.cost import cost
from watermark.report.sections.coverage import coverage
from watermark.report.sections.false_positives import false_positives
from watermark.report.sections.identification import identification
from watermark.report.sections.pairwise import pairs
from watermark.report.sections.provenance import failures, provenance
from watermark.report.sections.quality import attack_costs, embedding, plane
from watermark.report.sections.security import security
from watermark.report.sections.sentence import sentence
from watermark.report.sections.thresholds import thresholds
from watermark.report.sections.verdict import cards

SCHEMA_VERSION = "1.2.0"


def report_data(run: Run) -> Json:
    """Compute the report.

    Returns:
        What ``report.json`` holds, as ``schema/report.schema.json`` describes it.
    """
    ladder = cell_section.ladders(run)
    cells = cell_section.cells(run)
    tested = pairs(run)
    verdict = cards(run, ladder, tested)
    covered = coverage(run)
    data: Json = {
        "schema_version": SCHEMA_VERSION,
        "date": day((run.path / "rows.parquet").stat().st_mtime),
        "group": run.headline_group,
        "false_positive_rate": run.false_positive_rate,
        "coverage": covered,
        "verdict": sentence(run, verdict, tested, covered),
        "schemes": verdict,
        "attacks": cell_section.attacks(run),
        "ladders": ladder,
        "cells": cells,
        "false_positives": false_positives(run),
        "thresholds": thresholds(run),
        "identification": identification(run),
        "pairwise": tested,
        "embedding_quality": embedding(run),
        "quality_plane": plane(run, cells),
        "attack_costs": attack_costs(run),
        "security": security(run),
        "published": twins(run),
        "breakdown": breakdown(run),
        "cost": cost(run),
        "failures": failures(run),
        "provenance": provenance(run),
    }
    order = [card["scheme"] for card in verdict]
    for entries in (data["false_positives"], data["thresholds"], data["identification"]["schemes"]):
        entries.sort(key=lambda entry: order.index(entry["scheme"]))
    data["embedding_quality"].sort(key=lambda entry: (order.index(entry["scheme"]), entry["group"] != "natural"))
    return _plain(data)


def schema() -> Json:
    """The JSON schema of ``report.json``."""
    return json.loads((resources.files(__package__) / "schema" / "report.schema.json").read_text())


def _plain(value: Any) -> Any:
    """Numpy scalars to Python numbers, NaN to null; JSON has neither."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
