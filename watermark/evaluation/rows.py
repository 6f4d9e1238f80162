"""From rows on disk to rates with intervals: everything that a report says is computed from what this file loads."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from watermark.errors import UserError
from watermark.evaluation.axis import Axis
from watermark.evaluation.manifest import names_are_plain, read_manifest
from watermark.evaluation.parts import COSTS, own_file, read_table
from watermark.evaluation.records import MAPS, arrow_schema
from watermark.json_schema import Count, Group, Json, Share
from watermark.metrics.clustered import clustered_rate
from watermark.shown import reason, shown

IDENTITY = "identity"
"""Name of the attack that does nothing."""
HARD_CLASSES = frozenset(
    {"text", "flat", "dark", "graphic", "graphics", "hard", "noise", "screenshot", "synthetic", "smooth", "busy"}
)
"""Content classes that are kept apart from natural pictures, because no headline should average over them."""
GROUPS: tuple[Group, ...] = ("natural", "hard")

PROMISES = (1e-1, 1e-2, 1e-3, 1e-4)
"""False-positive rates at which readings without a mark are counted against what was promised."""

UNUSED = frozenset({"logits", "seed", "attack_version", "provider_id", "content_id", "decoded_provider_id"})
"""Columns that no number of the report needs; left on disk."""

PERCEPTUAL = ("lpips", "dists", "flip", "ssimulacra2", "cvvdp")
"""Measures that a run has where it was told to."""
ADDED = frozenset({"embedded", "key", "ms_ssim", "ciede2000", "log10_doubt", *PERCEPTUAL, *MAPS})
"""Columns that older runs do not have; they read as not measured."""


@dataclass(frozen=True)
class Run:
    """An evaluation as it lies on disk.

    Attributes:
        path: the run folder.
        rows: one row per ``Record`` without the soft decisions, plus ``group`` (natural or hard), ``image_code``
            (an integer per image), ``right_bits`` (share of channel bits that agree) and ``has_ids`` (marks
            of ours, which carry IDs).
        refused: rows of pictures that could not be read or marked; in no rate, and only told of.
        costs: seconds per unit of work; empty where the run kept none.
        manifest: what was run, on what, with what.
    """

    path: Path
    rows: pd.DataFrame
    refused: pd.DataFrame
    costs: pd.DataFrame
    manifest: Json

    @property
    def schemes(self) -> list[str]:
        """Schemes in the order of the manifest, those that have rows."""
        present = set(self.rows["scheme"].unique())
        listed = [name for name in self.manifest.get("schemes", {}) if name in present]
        return listed + sorted(present - set(listed))

    @property
    def attacks(self) -> list[str]:
        """Attacks in the order of the manifest, without the one that does nothing."""
        present = set(self.rows["attack"].unique()) - {IDENTITY}
        listed = [name for name in self.manifest.get("attacks", {}) if name in present]
        return listed + sorted(present - set(listed))

    @property
    def outside(self) -> frozenset[str]:
        """Schemes whose marks and detectors are somebody else's: no IDs of ours, and no promise."""
        return frozenset(name for name, facts in self.manifest.get("schemes", {}).items() if facts.get("outside"))

    @cached_property
    def axes(self) -> dict[str, Axis]:
        """Attacks of which the breaking point was searched, with the axis that was searched.

        Raises:
            UserError: if the manifest tells of an axis that is none.
        """
        facts = self.manifest.get("attacks", {})
        try:
            return {name: Axis(**facts[name]["axis"]) for name in self.attacks if facts.get(name, {}).get("axis")}
        except (TypeError, ValueError) as error:
            raise UserError(f"{self.path / 'manifest.json'}: axis: {error}") from None

    @property
    def misattribution_rate(self) -> float:
        """The promised rate that IDs were named at; 1 for earlier runs, which named the likeliest in any case."""
        return float(self.manifest.get("misattribution_rate", 1.0))

    @property
    def false_positive_rate(self) -> float:
        """The promised rate that ``is_marked`` was decided at."""
        return float(self.manifest["false_positive_rate"])

    @cached_property
    def headline_group(self) -> Group:
        """``natural`` where the run has such pictures, else ``hard``."""
        return "natural" if (self.rows["group"] == "natural").any() else "hard"

    def marked(self, group: str | None = None, *, searched: bool = False) -> pd.DataFrame:
        """Rows of marked pictures under an attack; a failed cell stays in and counts as a miss.

        Args:
            group: of pictures; None: all.
            searched: those of searches too, which say nothing of a rate: half of them are losses by design.
        """
        rows = self.rows[self.rows["marked"] & (self.rows["attack"] != IDENTITY)]
        rows = rows if searched else rows[~rows["attack"].isin(list(self.axes))]
        return rows if group is None else rows[rows["group"] == group]

    def breaks(self, group: str | None = None) -> pd.DataFrame:
        """Where every search ended: one row per scheme, attack, picture and key.

        Returns:
            ``scheme``, ``attack``, ``group``, ``image``, ``image_code``, ``key``; ``never``: found at the harsh end;
            ``level`` and ``strength`` of the mildest reading that lost the mark (the harsh end where it never broke),
            ``survived``: the harshest strength that it was found at (NaN: at none), ``attack_psnr`` and ``attack_ssim``
            of that reading.
        """
        rows = self.marked(group, searched=True)
        rows = rows[rows["attack"].isin(list(self.axes))]
        level = [self.axes[attack].level(value) for attack, value in zip(rows["attack"], rows["strength"], strict=True)]
        rows = rows.assign(level=level)
        keys = ["scheme", "attack", "group", "image", "image_code", "key"]
        found = rows[rows["is_marked"]].sort_values("level").groupby(keys, sort=False).last()
        lost = rows[~rows["is_marked"]].sort_values("level").groupby(keys, sort=False).head(1).set_index(keys)
        never = found.loc[found.index.difference(lost.index, sort=False)]
        ends = pd.concat([lost.assign(never=False), never.assign(never=True)])
        ends["survived"] = found["strength"].reindex(ends.index)
        return ends[["never", "level", "strength", "survived", "attack_psnr", "attack_ssim"]].reset_index()

    def negatives(self) -> pd.DataFrame:
        """Rows of pictures without a mark, attacked or not; a failed cell answers nothing and is left out."""
        return self.rows[~self.rows["marked"] & self.rows["error"].isna()]

    def logits(self, rows: pd.DataFrame) -> np.ndarray | None:
        """Soft decisions ``(n, K)`` of some rows of one scheme, in file order; None where the run did not keep them."""
        if len(rows) == 0:
            return None
        wanted, values, start = np.sort(rows.index.to_numpy()), [], 0
        path = self.path / "rows.parquet"
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=["logits"]):  # never the whole column: it can be gigabytes
                    here = wanted[(wanted >= start) & (wanted < start + len(batch))] - start
                    values += batch.column(0).take(pa.array(here)).to_pylist()
                    start += len(batch)
            if any(value is None for value in values):
                return None
            return np.stack([np.frombuffer(value, "<f2") for value in values]).astype(np.float64)
        except (OSError, ValueError, TypeError, IndexError, pa.ArrowException) as error:
            raise UserError(f"{path}: soft decisions cannot be read: {reason(error)}") from None


def load_run(path: Path) -> Run:
    """Read a run folder.

    Raises:
        UserError: if it has no manifest or no rows, or they are not of the shape that a run writes.
        ValueError: if the rows are none.
    """
    path = Path(path)
    manifest = read_manifest(path)
    if own_file(path, "rows.parquet") is None:
        raise UserError(f"expected the folder of a run, with rows.parquet, got {path}")
    rows = _read_rows(path)
    if rows.empty:
        raise ValueError(f"expected at least one row, {path} has none")
    rows["group"] = np.where(rows["image_class"].isin(HARD_CLASSES), "hard", "natural")
    rows["payload_ok"] = rows["payload_ok"].eq(True)
    rows["key"] = rows["key"].fillna(0).astype(int)
    rows["image_code"] = pd.factorize(rows["image"])[0]
    rows["right_bits"] = 1 - rows["bit_errors"] / rows["message_bits"]
    outside = [name for name, facts in manifest["schemes"].items() if facts.get("outside")]
    rows["has_ids"] = ~rows["scheme"].isin(outside)
    refused = rows["embedded"].eq(False)
    if refused.all():
        raise UserError(f"{path}: no picture could be marked: {rows['error'].iloc[0]}")
    return Run(path, rows[~refused], rows[refused], _read_costs(path), manifest)


def _read_rows(path: Path) -> pd.DataFrame:
    """The columns that the report uses, their text harmless to print."""
    wanted = pa.schema([field for field in arrow_schema() if field.name not in UNUSED])
    rows = _read(path / "rows.parquet", wanted)
    for column in ("scheme", "attack"):
        names_are_plain(path / "rows.parquet", rows[column].unique())
    return rows.assign(**dict.fromkeys(sorted(ADDED - set(rows.columns)), np.nan))


def _read_costs(path: Path) -> pd.DataFrame:
    costs = own_file(path, "costs.parquet")
    return pd.DataFrame(columns=COSTS.names) if costs is None else _read(costs, COSTS)


def _read(path: Path, schema: pa.Schema) -> pd.DataFrame:
    """A table whose columns are all there but those that older runs do not have."""
    try:
        present = set(pq.read_schema(path).names)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read: {reason(error)}") from None
    older = (ADDED | {"peak_bytes"}) - present
    wanted = pa.schema([field for field in schema if field.name not in older])
    return _harmless(read_table(path, wanted).to_pandas())


def _harmless(table: pd.DataFrame) -> pd.DataFrame:
    """Control characters and the like of every text as codes; a run has few different texts."""
    for name in table.columns[[kind in ("object", "str", "string") for kind in map(str, table.dtypes)]]:
        column = table[name]
        codes = {text: shown(text) for text in column.unique() if isinstance(text, str)}
        if any(text != code for text, code in codes.items()):
            table[name] = column.map(codes, na_action="ignore")
    return table


@dataclass(frozen=True)
class Rate:
    """Successes of n rows of so many images, with a clustered (Korn-Graubard) 95 % interval."""

    successes: Count
    n: Count
    images: Count
    rate: Share | None
    low: Share
    high: Share


def rate(rows: pd.DataFrame, hits: pd.Series | np.ndarray | str) -> Rate:
    """Share of rows that say yes with its 95 % interval, clustered by image.

    Args:
        rows: any rows.
        hits: a bool column, or its name.
    """
    values = rows[hits] if isinstance(hits, str) else hits
    found = clustered_rate(np.asarray(values, dtype=bool), rows["image_code"].to_numpy())
    share = None if found.n == 0 else found.rate
    return Rate(found.successes, found.n, found.clusters, share, found.low, found.high)


def with_ids(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of schemes whose marks carry IDs: of others nobody can say whether IDs were right."""
    return rows[rows["has_ids"]]


def misattributed(rows: pd.DataFrame) -> pd.Series:
    """Marked rows that were detected with somebody else's ids: the error that accuses the wrong owner."""
    return rows["is_marked"] & rows["decoded_content_id"].notna() & ~rows["payload_ok"]


def unnamed(rows: pd.DataFrame) -> pd.Series:
    """Rows that were detected without IDs: the mark is proven, and whose it is was not certain enough to say."""
    return rows["is_marked"] & rows["decoded_content_id"].isna()


def bit_accuracy(rows: pd.DataFrame) -> float | None:
    """Mean share of right channel bits over the rows that have an answer."""
    return mean(rows["right_bits"])


def mean(values: pd.Series) -> float | None:
    """Mean of the values that are there, None where there is none."""
    known = values.to_numpy(dtype=float, na_value=np.nan)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else None
