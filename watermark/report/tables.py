"""The short forms: a table for the terminal, one for a README, one for a paper, and ``summary.json``."""

from collections.abc import Collection

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from watermark.evaluation.rows import PERCEPTUAL
from watermark.json_schema import Json
from watermark.report import maps, matched
from watermark.report.balance import balanced, families
from watermark.report.wording import (
    NOTHING,
    broke,
    broke_between,
    count,
    count_of,
    db,
    fixed,
    interval,
    percent,
    plural,
    power,
    unequal,
)

SUMMARY_PROVENANCE = ("command", "job_key", "config", "config_hash", "git", "versions", "device", "seeds", "data")
HEAD = (
    "Scheme",
    "PSNR",
    "SSIM",
    "Found, no attack",
    "Found, attacked",
    "IDs exact",
    "Wrong IDs",
    "No ID named",
    "False alarms",
    "Weakest against",
)


WEAKEST = 3
"""Searched attacks that a row names: on an axis that ends harshly every one of them takes marks."""
OF_RUNGS = ("Found, attacked", "IDs exact")
"""Columns that count readings at fixed strengths."""


def _weak(card: Json) -> list[str]:
    """The attacks that took marks, the worst first."""
    return [cell["attack"] for cell in card["worst"] if cell["detection"]["rate"] < 1]


def _weak_on_axes(data: Json, scheme: str) -> list[str]:
    """Of the attacks that were searched those that took marks, the worst first."""
    own = [point for (_, name), point in _points(data).items() if name == scheme and point["never"] < point["images"]]
    return [point["attack"] for point in sorted(own, key=lambda point: point["withstood"])]


def _rows(data: Json) -> list[list[str]]:
    """A row a scheme, a cell a column of ``HEAD``."""
    return [
        [
            card["scheme"],
            db(card["quality"]["psnr"]),
            fixed(card["quality"]["ssim"], 4),
            percent(card["no_attack"]),
            f"{percent(card['detection'])} [{interval(card['detection'])}]",
            f"{percent(card['payload'])} [{interval(card['payload'])}]",
            *(_counted(card, name) for name in ("misattribution", "unnamed")),
            count_of(card["false_positives"]),
            ", ".join(_weak(card)) or ", ".join(_weak_on_axes(data, card["scheme"])[:WEAKEST]) or "none",
        ]
        for card in data["schemes"]
    ]


def _counted(card: Json, name: str) -> str:
    """``3 / 169 [0 to 9 %]``; of searched readings the count alone, for they are not drawn but sought."""
    return count_of(card[name]) + (f" [{interval(card[name])}]" if card["detection"]["n"] else "")


def caption(data: Json, *, intervals: bool = True) -> str:
    """What the table rests on, in few sentences; ``intervals``: whether a table of searches shows them."""
    covered = data["coverage"]
    lost = max(covered["not_marked"].values(), default=0)
    parts = [
        covered["unfinished"],
        covered["drawn"],
        _caption_of_searches(data, intervals) if data["breaking"] else _caption_of_ladders(data),
        f"{plural(lost, 'picture')} of {covered['pictures']} could not be read or marked, and "
        f"{'counts' if lost == 1 else 'count'} nowhere." * bool(lost),
        unequal(card["quality"]["psnr"] for card in data["schemes"]),
        matched.sentence(data),
        _caption_of_outside(data),
    ]
    return " ".join(filter(None, parts))


def _caption_of_outside(data: Json) -> str:
    """Whose detectors no theory is about."""
    names = [card["scheme"] for card in data["schemes"] if card["outside"]]
    return f"Read by somebody else's detector, of which nothing is promised: {', '.join(names)}." if names else ""


def _caption_of_ladders(data: Json) -> str:
    rates, attacks = [card["detection"] for card in data["schemes"]], len(data["attacks"])
    ladders = "its ladder" if attacks == 1 else "their ladders"
    return (
        f"{_pictures(data, rates)}, {plural(attacks, 'attack')} over {ladders}, "
        f"n = {_span(rates, 'n')} readings per scheme; {_alarms(data)}"
        f"{_promise(data)}; 95 % intervals clustered by picture."
    )


def _caption_of_searches(data: Json, intervals: bool) -> str:
    points = _points(data).values()
    there = ", with its 95 % interval, mild end first" if intervals else " (95 % intervals stand in the report)"
    if all(point["low"] is None for point in points):
        there = ", too few for intervals"
    return (
        f"Strength at which half of {_pictures(data, points)} have lost the mark{there}; "
        f"> or <: not lost up to there; {_alarms(data)}{_promise(data)}."
    )


def _promise(data: Json) -> str:
    """The rate of theory; nothing where every detector is somebody else's."""
    ours = not all(card["outside"] for card in data["schemes"])
    return f", rate {power(data['false_positive_rate'])} (theory)" if ours else ""


def _pictures(data: Json, counts: Collection[Json]) -> str:
    """``6 photos``; ``4 to 6 test pictures`` where schemes differ."""
    noun, number = "photo" if data["group"] == "natural" else "test picture", _span(counts, "images")
    return f"{number} {noun}" + "s" * (number != "1")


def _alarms(data: Json) -> str:
    """``0 false alarms in 112 readings of 2 unmarked pictures``, over all schemes that promise a rate, if any does."""
    cards = [card for card in data["schemes"] if not card["outside"]] or data["schemes"]
    counted = [card["false_positives"] for card in cards]
    alarms, read = (sum(one[what] for one in counted) for what in ("successes", "n"))
    if not read:
        return "no unmarked picture was read for false alarms"
    pictures = plural(data["coverage"]["unmarked_pictures"], "unmarked picture")
    return f"{plural(alarms, 'false alarm')} in {plural(read, 'reading')} of {pictures}"


def _points(data: Json) -> dict[tuple[str, str], Json]:
    """Breaking points of the headline's pictures by attack and scheme."""
    points = (data["breaking"] or {"points": []})["points"]
    return {(p["attack"], p["scheme"]): p for p in points if p["group"] == data["group"]}


def _axes(data: Json) -> dict[str, Json]:
    return {axis["attack"]: axis for axis in (data["breaking"] or {"axes": []})["axes"]}


def _span(rates: Collection[Json], name: str) -> str:
    """``540``, or ``480 to 540`` where the schemes differ."""
    least, most = min(rate[name] for rate in rates), max(rate[name] for rate in rates)
    return count(least) if least == most else f"{count(least)} to {count(most)}"


def terminal(data: Json) -> Group:
    """For a ``rich`` console of 80 columns: headline, a table of searches, one of fixed strengths, what they rest on.

    A run has one of the tables or both. The words are as wide as the console, however narrow a table is.
    """
    tables = [_terminal_of_searches(data)] if data["breaking"] else []
    if not tables or any(card["detection"]["n"] for card in data["schemes"]):
        tables.append(_terminal_of_ladders(data))
    said = caption(data, intervals=not data["breaking"])
    return Group(Text(data["verdict"]["headline"], style="bold"), *tables, Text(said, style="dim"))


def _terminal_of_ladders(data: Json) -> Table:
    """A row per scheme; schemes of up to about 18 letters fit 80 columns."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Scheme,\nmean PSNR", no_wrap=True)
    for name in ("Found,\nattacked", "IDs exact", "False\nalarms"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Weakest against", overflow="fold")
    for card in data["schemes"]:
        found, payload = (f"{percent(card[name])}\n[{interval(card[name])}]" for name in ("detection", "payload"))
        counted = card["false_positives"]
        alarms = count_of(counted) if counted["n"] else NOTHING
        scheme = f"{card['scheme']}\n{db(card['quality']['psnr'])}"
        table.add_row(scheme, found, payload, alarms, "\n".join(_weak(card)[:2]) or "none")
    return table


def _terminal_of_searches(data: Json) -> Table:
    """A row per attack, a column per scheme with the median strengths that take its mark; seven fit 80 columns."""
    table = Table(box=box.SIMPLE_HEAD)
    table.padding, table.collapse_padding = (0, 1), True
    table.add_column("Lost at\n(mild to harsh)", no_wrap=True)
    for card in data["schemes"]:
        table.add_column(card["scheme"].replace("_", "_\n"), justify="right", no_wrap=True)
    points = _points(data)
    for attack, axis in _axes(data).items():
        row = Text.assemble(attack, "\n", (f"{axis['mild']:g} to {axis['harsh']:g}", "dim"))
        table.add_row(row, *(broke(points.get((attack, card["scheme"])), axis) for card in data["schemes"]))
    table.add_row("PSNR, dB", *(db(card["quality"]["psnr"], unit=False) for card in data["schemes"]))
    return table


def markdown(data: Json) -> str:
    """Where marks are lost; then the verdict, scheme x attack, and every rung: mark found and IDs exact as counts."""
    schemes = [card["scheme"] for card in data["schemes"]]
    lines = [f"**{data['verdict']['headline']}** {caption(data)}", ""]
    if data["breaking"]:
        lines += [*_markdown_of_searches(data, schemes), ""]
    lines += [*maps.table(data), *matched.table(data)]
    at_rungs = any(card["detection"]["n"] for card in data["schemes"])
    columns = [place for place, name in enumerate(HEAD) if at_rungs or name not in OF_RUNGS]
    lines += ["| " + " | ".join(HEAD[k] for k in columns) + " |", "|---" + "|---:" * (len(columns) - 2) + "|---|"]
    lines += ["| " + " | ".join(row[k] for k in columns) + " |" for row in _rows(data)]
    if not at_rungs:
        return "\n".join(lines) + "\n"
    lines += ["", "Mark found, per attack (95 % interval):", ""]
    lines += ["| Attack | " + " | ".join(schemes) + " |", "|---" + "|---:" * len(schemes) + "|"]
    for attack, rates in _per_attack(data):
        if not any(rates):
            continue
        cells = [f"{percent(r)} [{interval(r)}]" if r else NOTHING for r in rates]
        lines.append(f"| {attack} | " + " | ".join(cells) + " |")
    lines += ["", "Every rung: mark found, and of the same pictures IDs exact (95 % interval):", ""]
    lines += ["| Attack | Rung | " + " | ".join(schemes) + " |", "|---|---:" + "|---:" * len(schemes) + "|"]
    for (attack, strength), rungs in _per_rung(data):
        cells = [_found_and_exact(rungs[scheme]) if scheme in rungs else NOTHING for scheme in schemes]
        rung = NOTHING if strength is None else f"{strength:g}"
        lines.append(f"| {attack} | {rung} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _markdown_of_searches(data: Json, schemes: list[str]) -> list[str]:
    """Medians with intervals, then what the picture looks like by then."""
    axes, points = _axes(data), _points(data)
    head = "| Attack, mild to harsh | " + " | ".join(schemes) + " |"
    lines, damages = [head, "|---" + "|---:" * len(schemes) + "|"], []
    for attack, axis in axes.items():
        own = [points.get((attack, scheme)) for scheme in schemes]
        cells = [f"{broke(point, axis)}{broke_between(point, axis)}" for point in own]
        lines.append(f"| {attack} {axis['mild']:g} to {axis['harsh']:g} | " + " | ".join(cells) + " |")
        if any(point and point["attack_psnr"] is not None for point in own):
            psnr = [f"{db(p['attack_psnr'])}, {fixed(p['attack_ssim'], 2)}" if p else NOTHING for p in own]
            damages.append(f"| {attack} | " + " | ".join(psnr) + " |")
    if damages:
        head = "| Attack | " + " | ".join(schemes) + " |"
        lines += ["", "By then the picture has this PSNR and SSIM to the marked one (medians):", ""]
        lines += [head, "|---" + "|---:" * len(schemes) + "|", *damages]
    return lines


def _per_rung(data: Json) -> list[tuple[tuple[str, float | None], dict[str, Json]]]:
    rungs: dict[tuple[str, float | None], dict[str, Json]] = {}
    for cell in data["cells"]:
        if cell["group"] == data["group"]:
            rungs.setdefault((cell["attack"], cell["strength"]), {})[cell["scheme"]] = cell
    return list(rungs.items())


def _found_and_exact(cell: Json) -> str:
    found, exact = cell["detection"], cell["payload"]
    first = f"{found['successes']}/{found['n']} [{interval(found)}]"
    return first if exact["successes"] == found["successes"] else f"{first}, exact {exact['successes']}/{exact['n']}"


def latex(data: Json) -> str:
    """A booktabs table, scheme x attack, with the half-width of the interval behind each rate."""
    schemes = [card["scheme"] for card in data["schemes"]]
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}",
        f"\\caption{{{_about(data)}{_tex(caption(data))}}}",
        "\\begin{tabular}{l" + "r" * len(schemes) + "}",
        "\\toprule",
        "Attack & " + " & ".join(_tex(s) for s in schemes) + " \\\\",
        "\\midrule",
    ]
    axes, points = _axes(data), _points(data)
    for attack, rates in _per_attack(data):
        cells = [_tex(f"{percent(r)} [{interval(r)}]") if r else "--" for r in rates]
        if attack in axes:
            own = [points.get((attack, scheme)) for scheme in schemes]
            cells = [_tex(f"{broke(p, axes[attack])}{broke_between(p, axes[attack])}") for p in own]
        lines.append(f"{_tex(attack)} & " + " & ".join(cells) + " \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", "\\end{table}"]) + "\n"


def _about(data: Json) -> str:
    """What a number of the table is; of searches the caption says it."""
    return "" if data["breaking"] else "Mark found after each attack, share of pictures with its 95\\% interval. "


def _per_attack(data: Json) -> list[tuple[str, list[Json | None]]]:
    found = {(c["scheme"], c["attack"]): c["detection"] for c in data["ladders"] if c["group"] == data["group"]}
    schemes = [card["scheme"] for card in data["schemes"]]
    names = ["identity", *(attack["name"] for attack in data["attacks"])]
    return [(name, [found.get((scheme, name)) for scheme in schemes]) for name in names]


def _tex(text: str) -> str:
    for plain, escaped in (
        ("_", "\\_"),
        ("%", "\\%"),
        ("&", "\\&"),
        ("\u202f", "\\,"),
        (NOTHING, "--"),
        ("<", "$<$"),
        (">", "$>$"),
    ):
        text = text.replace(plain, escaped)
    return text


def summary(data: Json) -> Json:
    """The small machine-readable result: per scheme quality and rates with n and intervals, plus provenance."""
    p = data["provenance"]
    return {
        "schema_version": data["schema_version"],
        "verdict": data["verdict"]["headline"],
        "false_positive_rate": data["false_positive_rate"],
        "higher_is_better": dict.fromkeys(("detection", "payload"), True)
        | dict.fromkeys(("false_positives", "misattribution", "unnamed"), False),
        "schemes": {card["scheme"]: _kept(data, card) for card in data["schemes"]},
        "breaking": data["breaking"] and {name: data["breaking"][name] for name in ("axes", "sentences", "points")},
        **({"localization": data["localization"]} if data["localization"] else {}),
        **({"matched": found} if (found := matched.matched(data)) else {}),
        "coverage": data["coverage"],
        "failed_rows": data["failures"]["rows"],
        **{name: p[name] for name in SUMMARY_PROVENANCE},
    }


def _kept(data: Json, card: Json) -> Json:
    """A scheme's part of the summary: its numbers, the means of what was asked for of the quality, and the families."""
    keep = (
        "group",
        "no_attack",
        "withstood",
        "detection",
        "payload",
        "false_positives",
        "misattribution",
        "unnamed",
        "message_bits",
        "outside",
    )
    own = card["scheme"], card["group"]
    spreads: Json = next((row for row in data["embedding_quality"] if (row["scheme"], row["group"]) == own), {})
    seen = {name: spreads[name]["mean"] for name in PERCEPTUAL if spreads.get(name)}
    measured = families(data, card["scheme"], card["group"])
    found = {name: card[name] for name in keep}
    return found | {"quality": card["quality"] | seen, "families": measured, "balanced": balanced(measured)}
