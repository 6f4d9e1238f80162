"""A mean that nobody wins by naming many JPEGs: over rungs, then over attacks, then over families of attacks."""

from statistics import mean

from watermark.json_schema import Json

FAMILIES = ("geometry", "photometric", "compression", "filter", "compound")
"""Of which the mean is taken; edits and removal say other things, and stand apart."""


def families(data: Json, scheme: str, group: str) -> dict[str, Json]:
    """What of a scheme's marks each family of attacks leaves.

    Args:
        data: from ``report_data``.
        scheme: its name.
        group: of pictures.

    Returns:
        Family to ``attacks`` (how many), ``readings``, ``detection`` and ``payload``: shares, means over the attacks of
        the means over their rungs. Families that were not measured, and attacks whose breaking point was searched, are
        left out.
    """
    kinds = {attack["name"]: attack["family"] or "other" for attack in data["attacks"]}
    found: dict[str, dict[str, list[Json]]] = {}
    for cell in data["cells"]:
        if (cell["scheme"], cell["group"]) == (scheme, group) and cell["attack"] in kinds:
            found.setdefault(kinds[cell["attack"]], {}).setdefault(cell["attack"], []).append(cell)
    return {
        family: {
            "attacks": len(attacks),
            "readings": sum(rung["detection"]["n"] for rungs in attacks.values() for rung in rungs),
            **{
                name: _mean([_mean([rung[name]["rate"] for rung in rungs]) for rungs in attacks.values()])
                for name in ("detection", "payload")
            },
        }
        for family, attacks in found.items()
    }


def _mean(shares: list[float | None]) -> float | None:
    """None where there is none, or one is not known: marks of somebody else carry no IDs that could be exact."""
    known = [share for share in shares if share is not None]
    return mean(known) if known and len(known) == len(shares) else None


def balanced(measured: dict[str, Json]) -> Json:
    """The mean over the five ``FAMILIES``, and which of them it rests on; null where there is none."""
    present = [family for family in FAMILIES if family in measured]
    means = {name: _mean([measured[family][name] for family in present]) for name in ("detection", "payload")}
    return {"families": present, **means}
