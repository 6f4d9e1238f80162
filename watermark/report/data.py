"""All numbers of a report in one JSON-ready dictionary; the page is drawn from it and from nothing else."""

from dataclasses import dataclass, replace
from typing import Annotated, Protocol, TypeVar

from watermark.evaluation.rows import Run
from watermark.json_schema import Group, Json, limits, schema_of, to_json
from watermark.report.calibration import Calibration, calibration
from watermark.report.evidence import day
from watermark.report.published import Published, twins
from watermark.report.sections.breakdown import Breakdown, breakdown
from watermark.report.sections.breaking import Breaking, breaking
from watermark.report.sections.cells import AttackFacts, Ladder, MeasuredCell, attacks, cells, ladders
from watermark.report.sections.cost import Cost, cost
from watermark.report.sections.coverage import Coverage, coverage
from watermark.report.sections.false_positives import FalsePositives, false_positives
from watermark.report.sections.identification import Identification, identification
from watermark.report.sections.localization import Localization, localization
from watermark.report.sections.pairwise import SchemePair, pairs
from watermark.report.sections.provenance import Failures, Provenance, failures, provenance
from watermark.report.sections.quality import (
    AttackDamage,
    EmbeddingQuality,
    QualityPlane,
    attack_costs,
    embedding,
    plane,
)
from watermark.report.sections.security import Security, security
from watermark.report.sections.sentence import Sentence, sentence
from watermark.report.sections.thresholds import Thresholds, thresholds
from watermark.report.sections.verdict import Card, cards

SCHEMA_VERSION = "1.9.0"


class OfScheme(Protocol):
    """An entry that is about one scheme."""

    @property
    def scheme(self) -> str:
        """Its name."""
        ...


Entry = TypeVar("Entry", bound=OfScheme)


@dataclass(frozen=True)
class Report:
    """All numbers of one evaluation.

    Rates are shares of 1 with 95 % intervals clustered by image; decibels and seconds are named. A consumer must accept
    new keys; a change of meaning raises the major version.
    """

    schema_version: Annotated[str, limits(pattern=r"^1\.\d+\.\d+$")]
    date: Annotated[str, limits(pattern=r"^\d{4}-\d{2}-\d{2}$"), "day on which the rows were last written, UTC"]
    group: Annotated[Group, "which pictures the headline numbers are about"]
    false_positive_rate: Annotated[float, limits(exclusiveMinimum=0)]
    misattribution_rate: Annotated[
        float, limits(exclusiveMinimum=0, maximum=1), "IDs less certain were not named; since 1.4.0"
    ]
    coverage: Coverage
    verdict: Sentence
    schemes: Annotated[list[Card], limits(minItems=1)]
    breaking: Annotated[Breaking | None, "null where no attack was searched; since 1.7.0"]
    localization: Annotated[Localization | None, "null where the run mapped no edited pictures; since 1.8.0"]
    attacks: list[AttackFacts]
    ladders: list[Ladder]
    cells: list[MeasuredCell]
    false_positives: list[FalsePositives]
    thresholds: list[Thresholds]
    identification: Identification
    pairwise: list[SchemePair]
    embedding_quality: list[EmbeddingQuality]
    quality_plane: QualityPlane
    attack_costs: list[AttackDamage]
    security: Annotated[Security | None, "watermark forgery; null where it was not run for this folder"]
    published: Published
    calibration: Annotated[Calibration | None, "null where no rung of the run was calibrated; since 1.9.0"]
    breakdown: list[Breakdown]
    cost: Cost
    failures: Failures
    provenance: Provenance


def report_data(run: Run) -> Json:
    """Compute the report.

    Returns:
        What ``report.json`` holds, as ``schema/report.schema.json`` describes it.
    """
    ladder = ladders(run)
    measured = cells(run)
    tested = pairs(run)
    broken = breaking(run)
    verdict = cards(run, ladder, tested, broken)
    mapped = localization(run)
    covered = coverage(run)
    order = [card.scheme for card in verdict]
    owners = identification(run)
    report = Report(
        schema_version=SCHEMA_VERSION,
        date=day((run.path / "rows.parquet").stat().st_mtime),
        group=run.headline_group,
        false_positive_rate=run.false_positive_rate,
        misattribution_rate=run.misattribution_rate,
        coverage=covered,
        verdict=sentence(run, verdict, tested, covered, broken, mapped),
        schemes=verdict,
        breaking=broken,
        localization=mapped,
        attacks=attacks(run),
        ladders=ladder,
        cells=measured,
        false_positives=_in_order(false_positives(run), order),
        thresholds=_in_order(thresholds(run), order),
        identification=replace(owners, schemes=_in_order(owners.schemes, order)),
        pairwise=tested,
        embedding_quality=_in_order(embedding(run), order),
        quality_plane=plane(run, measured),
        attack_costs=attack_costs(run),
        security=security(run),
        published=twins(run),
        calibration=calibration(run),
        breakdown=breakdown(run),
        cost=cost(run),
        failures=failures(run),
        provenance=provenance(run),
    )
    plain: Json = to_json(report)
    return plain


def _in_order(entries: list[Entry], schemes: list[str]) -> list[Entry]:
    """The best scheme first; where a scheme has an entry per group, they stay in their order."""
    return sorted(entries, key=lambda entry: schemes.index(entry.scheme))


def schema() -> Json:
    """The JSON schema of ``report.json``."""
    return schema_of(Report)
