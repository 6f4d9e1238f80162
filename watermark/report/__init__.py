"""From a run folder to something a person can read and a machine can check; imports no torch.

``build_report`` writes, from the rows, manifest and samples of a run alone: ``report.html`` (one file, no network),
``report.json`` (all its numbers, with a schema), ``summary.json``, ``robustness_evidence.json``, ``table.md`` and
``table.tex``. ``compare_runs`` says what changed between two runs; ``print_summary`` is the table for a terminal.
"""

import json
from pathlib import Path

from rich.console import Group

from watermark.evaluation.parts import write_text
from watermark.evaluation.rows import load_run
from watermark.json_schema import Json
from watermark.report.compare import Comparison, compare_runs
from watermark.report.data import report_data, schema
from watermark.report.evidence import robustness_evidence
from watermark.report.html import render
from watermark.report.samples import samples
from watermark.report.tables import latex, markdown, summary, terminal

__all__ = ["Comparison", "build_report", "compare_runs", "print_summary", "report_data", "schema"]


def build_report(run_dir: Path) -> Path:
    """Write every output of a run into its directory, each whole or not at all.

    Args:
        run_dir: holds ``rows.parquet`` and ``manifest.json``; ``costs.parquet`` and ``samples/`` if there are any.

    Returns:
        The path of ``report.html``.

    Raises:
        FileNotFoundError: if it is not a run folder.
        ValueError: if its rows are empty or of another schema.
    """
    run = load_run(Path(run_dir))
    data = report_data(run)
    outputs = {
        "report.json": _json(data),
        "summary.json": _json(summary(data)),
        "robustness_evidence.json": _json(robustness_evidence(data)),
        "table.md": markdown(data),
        "table.tex": latex(data),
        "report.html": render(data, samples(run, [card["scheme"] for card in data["schemes"]])),
    }
    for name, text in outputs.items():
        write_text(run.path / name, text)
    return run.path / "report.html"


def print_summary(run_dir: Path) -> Group:
    """The short table that ``watermark evaluate`` ends with; print it with a ``rich`` console."""
    path = Path(run_dir) / "report.json"
    data = json.loads(path.read_text()) if path.is_file() else report_data(load_run(Path(run_dir)))
    return terminal(data)


def _json(content: Json) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
