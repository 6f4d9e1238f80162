"""What got better, what got worse, and what two runs cannot tell apart."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table

from watermark.evaluation.rows import IDENTITY, Run, load_run
from watermark.json_schema import Json
from watermark.metrics.paired import bootstrap_mean, sign_flip, sign_flips, smallest_p
from watermark.report.sections.pairwise import LEVEL
from watermark.report.wording import difference, p_value, plural

SMALL = 20
"""Pictures under which a comparison says what they cannot."""
KEYS = ["scheme", "attack", "strength", "image", "key"]


@dataclass(frozen=True)
class Comparison:
    """Run B against run A on the pictures, schemes, attacks and strengths that both have.

    Attributes:
        changes: one entry per scheme and attack (``all`` over its attacks): paired difference B - A of the share
            found (of a searched attack: of the share of its axis that the mark withstood), interval, p corrected
            jointly over attacks, verdict (better, worse, not separable, identical).
        maps: likewise of the F1 of maps of edited pictures; empty where not both runs have some.
        only_a: what only run A has: whole schemes, then attacks with their strengths.
        only_b: what only run B has.
        quality: scheme -> mean PSNR of A and of B, None where unknown.
        same_images: how many pictures both have.
    """

    changes: list[Json]
    maps: list[Json]
    only_a: list[str]
    only_b: list[str]
    quality: dict[str, tuple[float | None, float | None]]
    same_images: int

    def table(self) -> Table:
        """For the terminal."""
        table = Table(
            title=f"B against A on {self.same_images} shared images: share found; for a search, share of the axis"
            + "; for a map, F1" * bool(self.maps),
            box=box.SIMPLE_HEAD,
            padding=(0, 1),
            collapse_padding=True,
            pad_edge=False,
        )
        for name in ("Scheme", "Attack", "A, %", "B, %", "B - A,\npoints", "p", "Verdict"):
            words = name in ("Scheme", "Attack", "Verdict")  # never cut: a name in two lines is still a name
            table.add_column(name, justify="left" if words else "right", overflow="fold" if words else "ellipsis")
        for c in self.changes:
            row = [c["scheme"], c["attack"], f"{100 * c['a']:.0f}", f"{100 * c['b']:.0f}", _in_points(c)]
            table.add_row(*row, p_value(c["p_joint"]), c["verdict"])
        for c in self.maps:
            row = [c["scheme"], f"{c['attack']}, map", f"{100 * c['a']:.0f}", f"{100 * c['b']:.0f}", _in_points(c)]
            table.add_row(*row, p_value(c["p_joint"]), c["verdict"])
        return table

    @property
    def too_few(self) -> str | None:
        """What so few pictures cannot say, where they are few."""
        if self.same_images >= SMALL:
            return None
        return (
            f"With {plural(self.same_images, 'picture')} no test can give p below "
            f"{p_value(smallest_p(self.same_images))}; small differences read as not separable however real they are."
        )


def _in_points(change: Json) -> str:
    """``+12 [+3, +21]``: the head of the column has the unit, for 80 letters are few."""
    return re.sub(r" points?", "", difference(change))


def compare_runs(run_a: Path, run_b: Path) -> Comparison:
    """Compare two runs cell by cell on what they share.

    Pictures are matched by name; whether their pixels are the same is decided by the hashes in the manifests.

    Raises:
        FileNotFoundError, ValueError: as ``load_run``.
        ValueError: if the runs share no cell, or a shared name stands for different pixels.
    """
    a, b = load_run(Path(run_a)), load_run(Path(run_b))
    _check_images(a, b)
    same = {attack for attack, axis in a.axes.items() if b.axes.get(attack) == axis}
    left, right = _marked(a, same), _marked(b, same)
    both = left.merge(right, left_index=True, right_index=True, suffixes=("_a", "_b"))
    if both.empty:
        raise ValueError(_nothing_shared(a, b))
    maps = _maps(a).merge(_maps(b), left_index=True, right_index=True, suffixes=("_a", "_b"))
    cells_a, cells_b = _cells(left), _cells(right)
    both_have, order = set(a.schemes) & set(b.schemes), a.attacks
    return Comparison(
        changes=_changes(both, order),
        maps=_changes(maps, order),
        only_a=_only(cells_a, cells_b, both_have),
        only_b=_only(cells_b, cells_a, both_have),
        quality={s: (_psnr(a, s), _psnr(b, s)) for s in both.index.get_level_values("scheme").unique()},
        same_images=both.index.get_level_values("image").nunique(),
    )


def _nothing_shared(a: Run, b: Run) -> str:
    """What two runs lack in common."""
    names, searched = (set(a.attacks) & set(b.attacks), set(a.axes) ^ set(b.axes))
    if set(a.schemes) & set(b.schemes) and names and names <= searched:
        return f"expected two runs at fixed strengths or two that searched, got one of each: {a.path} and {b.path}"
    if set(a.schemes) & set(b.schemes):
        return f"expected runs that share pictures, schemes and attacks, got {a.path} and {b.path}"
    schemes = " and ".join(", ".join(run.schemes) for run in (a, b))
    return f"expected two runs of one scheme, got {schemes}; to compare schemes measure them in one run: schemes=[A,B]"


def _check_images(a: Run, b: Run) -> None:
    hashes = [{i["id"]: i.get("sha256") for i in run.manifest.get("data", {}).get("images", [])} for run in (a, b)]
    differing = [name for name in hashes[0].keys() & hashes[1].keys() if hashes[0][name] != hashes[1][name]]
    if differing:
        raise ValueError(f"expected the same pictures under the same names, {len(differing)} differ: {differing[0]}")


def _marked(run: Run, searched: set[str]) -> pd.DataFrame:
    """Per cell, picture and key whether the mark was found; of a search, how far along the axis it held."""
    rows, ends = run.marked(), run.breaks()
    ends = ends[ends["attack"].isin(searched)].assign(is_marked=lambda found: found["level"], strength=np.nan)
    rows = pd.concat([rows[[*KEYS, "is_marked"]].astype({"is_marked": float}), ends[[*KEYS, "is_marked"]]])
    rows["strength"] = rows["strength"].fillna(float("inf"))  # NaN never matches in a join
    return rows.set_index(KEYS)[["is_marked"]].astype(float)


def _maps(run: Run) -> pd.DataFrame:
    """Per cell, picture and key the F1 of its map, where there is one."""
    rows = run.marked()
    rows = rows[rows["map_f1"].notna()].assign(is_marked=rows["map_f1"].astype(float))
    rows["strength"] = rows["strength"].fillna(float("inf"))
    return rows.set_index(KEYS)[["is_marked"]]


def _changes(both: pd.DataFrame, order: list[str]) -> list[Json]:
    found: list[Json] = []
    for scheme, part in both.groupby("scheme", sort=False):
        found += _scheme(str(scheme), part, order)
    return found


def _cells(rows: pd.DataFrame) -> set[tuple[str, str, float]]:
    return set(rows.index.droplevel(["image", "key"]).unique())


def _only(cells: set[tuple[str, str, float]], others: set[tuple[str, str, float]], both_have: set[str]) -> list[str]:
    """In words what the other run lacks, an attack with all its strengths being one entry.

    A scheme that it lacks as a whole is one entry, with how many attacks. An attack that every scheme of both runs
    lacks there is named without them.
    """
    whole = []
    for scheme in sorted({scheme for scheme, *_ in cells} - both_have):
        attacks = {attack for of, attack, _ in cells if of == scheme} - {IDENTITY}
        whole.append(f"{scheme} ({'all ' * (len(attacks) > 1)}{plural(len(attacks), 'attack')})")
    lacking: dict[tuple[str, float], list[str]] = {}
    for scheme, attack, value in sorted(cells - others):
        if scheme in both_have:
            lacking.setdefault((attack, value), []).append(scheme)
    single: dict[str, list[str]] = {}
    for (attack, value), schemes in sorted(lacking.items()):
        whose = "" if set(schemes) == both_have else f"{', '.join(schemes)}: "
        single.setdefault(whose + attack, []).extend([f"{value:g}"] * (value != float("inf")))
    return whole + [" ".join([name, *values]) for name, values in single.items()]


def _scheme(scheme: str, part: pd.DataFrame, order: list[str]) -> list[Json]:
    """All attacks together, then each in the run's order; those are corrected jointly, as pairs of schemes are."""
    present = set(part.index.get_level_values("attack"))
    single = {attack: part.xs(attack, level="attack", drop_level=False) for attack in order if attack in present}
    tests = [_test(scheme, "all", part), *(_test(scheme, attack, rows) for attack, rows in single.items())]
    differences = [both["is_marked_b"] - both["is_marked_a"] for both in map(_per_image, single.values())]
    for test, p in zip(tests, [tests[0]["p"], *sign_flips(pd.concat(differences, axis=1).to_numpy())], strict=True):
        test["p_joint"] = float(p)
        test["verdict"] = _verdict(test)
    return tests


def _per_image(rows: pd.DataFrame) -> pd.DataFrame:
    """Shares found of each picture in A and in B; every attack counts the same."""
    return rows.groupby(["attack", "image"])[["is_marked_a", "is_marked_b"]].mean().groupby("image").mean()


def _test(scheme: str, attack: str, rows: pd.DataFrame) -> Json:
    both = _per_image(rows)
    per_image = (both["is_marked_b"] - both["is_marked_a"]).to_numpy()
    low, high = bootstrap_mean(per_image)
    means = both.mean()
    return {
        "scheme": scheme,
        "attack": attack,
        "a": float(means["is_marked_a"]),
        "b": float(means["is_marked_b"]),
        "difference": float(per_image.mean()),
        "low": low if low == low else None,
        "high": high if high == high else None,
        "p": sign_flip(per_image),
        "images": len(per_image),
        "identical": bool((rows["is_marked_a"] == rows["is_marked_b"]).all()),
    }


def _verdict(test: Json) -> str:
    if test["identical"]:
        return "identical"
    if test["p_joint"] > LEVEL:
        return "not separable"
    return "better" if test["difference"] > 0 else "worse"


def _psnr(run: Run, scheme: str) -> float | None:
    value = run.rows.loc[(run.rows["scheme"] == scheme) & run.rows["marked"], "psnr"].mean()
    return None if value != value else float(value)
