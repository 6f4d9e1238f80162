"""Tables of the drawn standard suite: per class of pictures, scheme by family of attacks, with intervals by picture.

python table.py kodak=RUN,RUN val=RUN,RUN > table.md   (runs of one class: other schemes on the same pictures and cells)
"""

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

from watermark.evaluation.gather import gather
from watermark.evaluation.rows import IDENTITY, Rate, Run, load_run, rate
from watermark.json_schema import to_json
from watermark.metrics.clustered import negatives_needed
from watermark.report.balance import balanced, families
from watermark.report.sections.cells import attacks, cells
from watermark.report.sections.pairwise import pairs
from watermark.report.wording import NOTHING

FAMILIES = ("geometry", "photometric", "compression", "filter", "compound", "edit", "removal")
CLAIM = 0.99


def together(folders: list[Path]) -> Run:
    """Runs of one seed on one set of pictures as one: the pictures that all schemes have."""
    for folder in folders:
        gather(folder)
    runs = [load_run(folder) for folder in folders]
    rows = pd.concat([run.rows for run in runs], ignore_index=True)
    per_picture = rows.groupby("image")["scheme"].nunique()
    rows = rows[rows["image"].isin(per_picture.index[per_picture == rows["scheme"].nunique()])].copy()
    met = rows.groupby("scheme")[["image", "attack", "strength"]].apply(
        lambda own: hash(tuple(sorted(own.to_numpy().astype(str).ravel())))
    )
    assert met.nunique() == 1, "expected the same pictures and cells for every scheme"
    rows["image_code"] = pd.factorize(rows["image"])[0]
    known = {name: facts for run in runs for name, facts in run.manifest["attacks"].items()}
    manifest = runs[0].manifest | {"attacks": known}
    return replace(runs[0], rows=rows, manifest=manifest)


def said(found: Rate) -> str:
    """``96.1 % [93.0 to 98.0], 123/128``."""
    if found.rate is None:
        return NOTHING
    return f"{100 * found.rate:.1f} [{100 * found.low:.1f} to {100 * found.high:.1f}], {found.successes}/{found.n}"


def tables(name: str, run: Run) -> tuple[list[str], list[str]]:
    """The lines of one class, and what of it is proven."""
    marked = run.rows[run.rows["marked"]]
    group = str(marked["group"].iloc[0])
    data = {"attacks": to_json(attacks(run)), "cells": to_json(cells(run))}
    family = {attack["name"]: attack["family"] for attack in data["attacks"]}
    attacked = marked[marked["attack"] != IDENTITY]
    pictures, met = attacked["image"].nunique(), attacked.groupby(["attack", "strength"], dropna=False).ngroups
    lines = [f"## {name}: {pictures} pictures, {met} of 330 attacked cells met", ""]
    lines += ["| scheme | dB | no attack | all attacked | balanced | " + " | ".join(FAMILIES) + " |"]
    lines += ["|---|---:|---:|" + "---:|" * (len(FAMILIES) + 2)]
    proven = []
    for scheme in marked["scheme"].unique():
        own = attacked[attacked["scheme"] == scheme]
        clean = marked[(marked["scheme"] == scheme) & (marked["attack"] == IDENTITY)]
        mean = balanced(families(data, scheme, group))["payload"]
        kinds = {kind: rate(own[own["attack"].map(family) == kind], "payload_ok") for kind in FAMILIES}
        whole = rate(own, "payload_ok")
        figures = [f"{clean['psnr'].mean():.1f}", said(rate(clean, "payload_ok")), said(whole)]
        figures += [NOTHING if mean is None else f"{100 * mean:.1f}", *map(said, kinds.values())]
        lines.append(f"| `{scheme}` | " + " | ".join(figures) + " |")
        proven += [
            f"`{scheme}`, {name}, {kind}" for kind, r in ({"all": whole} | kinds).items() if r.n and r.low >= CLAIM
        ]
    lines += ["", "Paired by picture, share found, `tile_spread` or `learned` less the other:", ""]
    for pair in pairs(run):
        test = pair.overall
        if {"tile_spread", "learned"} & {pair.first, pair.second}:
            between = f"[{100 * test.low:+.1f} to {100 * test.high:+.1f}]" if test.low is not None else ""
            lines.append(
                f"- `{pair.first}` - `{pair.second}`: {100 * test.difference:+.1f} points {between}, "
                f"p = {test.p_joint:.2g} over all pairs, {test.images} pictures"
            )
    return [*lines, ""], proven


def main() -> None:
    """Print the tables of all classes."""
    lines, proven = [], []
    for word in sys.argv[1:]:
        name, folders = word.split("=")
        found = tables(name, together([Path(folder) for folder in folders.split(",")]))
        lines += found[0]
        proven += found[1]
    need = negatives_needed(1 - CLAIM)
    lines += [
        f"Proven at {100 * CLAIM:.0f} %: {'; '.join(proven) or 'nothing'}. Without a loss it takes {need} pictures."
    ]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
