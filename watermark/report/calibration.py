"""How hard our diffusion attacks are, said as the step of the published attack that is as hard for a known peer."""

import json
from dataclasses import dataclass
from importlib import resources
from typing import Annotated, Any

from watermark.evaluation.rows import Run
from watermark.json_schema import Count, Json, Share, Size


@dataclass(frozen=True)
class PeerRung:
    """What one rung leaves of one peer's bits, and the published step that leaves as many."""

    peer: str
    images: Count
    bits_right: Share
    low: Share
    high: Share
    as_step: Annotated[str, "step of Stable Diffusion 1.4 and its 95 % interval, such as 104 [under 60 to 217]"]


@dataclass(frozen=True)
class HardAs:
    """One rung of one attack of this run. Where its peers disagree about the step, that is the error."""

    attack: str
    strength: Size
    peers: list[PeerRung]


@dataclass(frozen=True)
class Calibration:
    """Diffusion rungs of this run beside the published attack's, as peers say that both survived."""

    source: str
    published: Annotated[dict[str, Any], "`step`: published steps; by peer: share of bits right there"]
    rungs: list[HardAs]


def calibrated() -> Json:
    """The calibration as ``results/published/diffusion/calibrate.py --export`` wrote it."""
    return json.loads((resources.files(__package__) / "calibration.json").read_text())


def calibration(run: Run) -> Calibration | None:
    """The rungs of this run that were calibrated; None where there are none.

    An attack counts as a calibrated one if it is the same class, at the same version, with the same settings, whatever
    it is called; the size that the model works at may differ.
    """
    known = calibrated()
    suite = _table(run.manifest.get("config"), "suite")
    found = []
    for name in run.attacks:
        facts = _table(_table(run.manifest, "attacks"), name)
        for rung in _rungs(known, facts, settings(_table(_table(suite, name), "build"))):
            found.append(HardAs(name, rung["strength"], [PeerRung(**peer) for peer in rung["peers"]]))
    return Calibration(known["source"], known["published"], found) if found else None


def settings(build: dict[str, Any]) -> dict[str, Any]:
    """What matters of how an attack is built: a model by its function, without the folder of somebody's weights."""
    plain = {name: value.get("_target_") if isinstance(value, dict) else value for name, value in build.items()}
    no_matter = {"size"} | ({"passes"} if plain.get("passes") == 1 else set())
    return {name: value for name, value in plain.items() if not name.startswith("_") and name not in no_matter}


def _table(of: Any, name: str) -> dict[str, Any]:
    """What stands under a name, if that is a table: a manifest may have been written by somebody."""
    found = of.get(name) if isinstance(of, dict) else None
    return found if isinstance(found, dict) else {}


def _rungs(known: Json, facts: Json, build: dict[str, Any]) -> list[Json]:
    asked = (facts.get("class"), facts.get("version"), build)
    same = [entry for entry in known["attacks"] if (entry["class"], entry["version"], entry["build"]) == asked]
    return [rung for entry in same for rung in entry["rungs"] if rung["strength"] in (facts.get("sweep") or [])]
