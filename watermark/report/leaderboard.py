"""Summaries of many runs, ours or sent in, as one page: sortable, filterable, each row with what it rests on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from watermark.errors import UserError
from watermark.evaluation.manifest import FLAG, MAYBE, NUMBER, TEXT, WHOLE, harmless, read_json
from watermark.evaluation.rows import PERCEPTUAL
from watermark.json_schema import Json
from watermark.report.balance import FAMILIES
from watermark.report.pivot import QUALITY
from watermark.report.sheet import asset
from watermark.report.wording import NOTHING

_RATE = {
    "successes": WHOLE,
    "n": WHOLE,
    "images": WHOLE,
    "rate": NUMBER + MAYBE,
    "low": NUMBER + MAYBE,
    "high": NUMBER + MAYBE,
}
_FAMILY = {"attacks": WHOLE, "readings": WHOLE, "detection": NUMBER + MAYBE, "payload": NUMBER + MAYBE}
_SCHEME = {
    "group": TEXT,
    "quality": {"images": WHOLE, "psnr": NUMBER + MAYBE, "ssim": NUMBER + MAYBE},
    "detection": _RATE,
    "payload": _RATE,
    "outside?": FLAG,
    "false_positives": _RATE,
    "misattribution": _RATE,
    "families": {"*": _FAMILY},
    "balanced": {"families": [TEXT], "detection": NUMBER + MAYBE, "payload": NUMBER + MAYBE},
}
_SUMMARY = {
    "schema_version": TEXT,
    "false_positive_rate": NUMBER,
    "schemes": {"*": _SCHEME},
    "config": {"suite_name?": TEXT, "layout?": dict, "cells?": WHOLE + MAYBE},
    "command": TEXT + MAYBE,
    "git": {"commit?": TEXT + MAYBE, "dirty?": FLAG + MAYBE},
    "data": {"name?": TEXT + MAYBE},
    "by?": TEXT,
    "evidence?": TEXT,
}
LINK = re.compile(r"https://[^\s\"'<>\\]{1,500}")


@dataclass(frozen=True)
class Entry:
    """A scheme of a run.

    Attributes:
        scheme: its name.
        by: who measured it.
        bits: of information (version, provider, content), without check bits; None where the summary does not say.
        suite: name of the attacks, and where a picture met some of its cells, of how many.
        pictures: name of the data set.
        quality: measure to mean over the marked pictures, those that were measured.
        facts: the scheme's part of the summary.
        promised: false-positive rate.
        command: that was run.
        commit: of the code, with a plus where it had been changed.
        evidence: a link, or None.
        source: the file that it stands in.
    """

    scheme: str
    by: str
    bits: int | None
    suite: str
    pictures: str
    quality: dict[str, float]
    facts: Json
    promised: float
    command: str
    commit: str
    evidence: str | None
    source: str


def read_entries(path: Path) -> list[Entry]:
    """The schemes of one summary.

    Args:
        path: a run's folder, or a ``summary.json`` of one, to which ``by`` and ``evidence`` (a link) may be added.

    Raises:
        UserError: in one line, if it is none, or one that older code made.
    """
    file = path / "summary.json" if path.is_dir() else path
    found = read_json(file, {"schemes": {"*": dict}})
    if not all("balanced" in facts for facts in found["schemes"].values()):
        raise UserError(f"{file}: made by older code: `watermark report RUN_DIR` makes it again from the rows")
    found = harmless(read_json(file, _SUMMARY))
    evidence = found.get("evidence")
    if evidence is not None and not LINK.fullmatch(evidence):
        raise UserError(f"{file}: evidence: expected a link that begins with https://, got {evidence!a:.80}")
    return [_entry(found, name, file) for name, facts in found["schemes"].items() if not facts.get("outside")]


def _entry(found: Json, name: str, file: Path) -> Entry:
    facts, layout = found["schemes"][name], found["config"].get("layout") or {}
    fields = ("version_bits", "provider_bits", "content_bits")
    numbers = [n for n in map(layout.get, fields) if isinstance(n, int)]
    quality = {measure: facts["quality"].get(measure) for measure in QUALITY}
    git, drawn = found["git"], found["config"].get("cells")
    return Entry(
        scheme=name,
        by=found.get("by") or "not said",
        bits=sum(numbers) if len(numbers) == len(fields) else None,
        suite=(found["config"].get("suite_name") or "") + (f", {drawn} cells a picture" if drawn else ""),
        pictures=found["data"].get("name") or "",
        quality={measure: float(value) for measure, value in quality.items() if isinstance(value, int | float)},
        facts=facts,
        promised=found["false_positive_rate"],
        command=found["command"] or "",
        commit=str(git.get("commit") or "")[:12] + ("+" if git.get("dirty") else ""),
        evidence=found.get("evidence"),
        source=file.name if file.parent == Path() else f"{file.parent.name}/{file.name}",
    )


def leaderboard_page(entries: Sequence[Entry]) -> str:
    """The page: one HTML file that asks nothing of the network; the best family-balanced mean first.

    Raises:
        UserError: if no entry measured the attacks of a family.
    """
    ranked = sorted(entries, key=lambda entry: -(entry.facts["balanced"]["payload"] or -1))
    if not any(entry.facts["balanced"]["families"] for entry in entries):
        raise UserError(
            "expected runs at fixed strengths, such as suite=standard, got none; a search (suite=breaking) has none"
        )
    measured = [name for name in ("psnr", "ssim", *PERCEPTUAL) if any(name in entry.quality for entry in entries)]
    return _template().render(
        entries=ranked,
        families=list(FAMILIES),
        apart=[name for name in ("edit", "removal") if any(name in entry.facts["families"] for entry in entries)],
        measures=[(name, QUALITY[name]) for name in measured],
        choices={name: _choices(ranked, name) for name in ("bits", "suite", "pictures", "by")},
        css=Markup(asset("plots.css") + asset("style.css") + asset("leaderboard.css")),
        js=Markup(asset("script.js") + asset("leaderboard.js")),
    )


@cache
def _template() -> Template:
    environment = Environment(loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined)
    environment.filters["percent"] = _percent
    return environment.get_template("leaderboard.html.j2")


def _choices(entries: Sequence[Entry], name: str) -> list[str]:
    return sorted({str(getattr(entry, name)) for entry in entries})


def _percent(share: Any) -> str:
    return NOTHING if share is None else f"{100 * share:.1f}"
