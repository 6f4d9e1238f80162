"""One row of an evaluation: one image, one scheme, one attack at one strength, marked or not."""

from dataclasses import dataclass, fields

import pyarrow as pa


@dataclass(frozen=True)
class Record:
    """What was measured in one cell for one image; flat, so that any table tool can group it.

    Rows hold only what a second run on the same machine reproduces byte for byte; times are kept apart (``costs``).
    """

    image: str
    """Identity of the image inside its data set, for example its file name."""
    image_class: str
    """Content class: photo, text, flat, dark, ... as the data set says."""
    width: int
    height: int
    scheme: str
    attack: str
    """Name of the attack's configuration; ``identity`` for no attack."""
    parameter: str | None
    """Name of the attack's strength, for example ``quality``."""
    strength: float | None
    """Its value in the attack's native unit."""
    attack_version: int
    key: int
    """Number of the key, from 0: one picture under several keys is a repeated measure of that picture."""
    seed: int
    """Seed of the attack's generator: hash of run seed, image, key, attack and rung; the same for every scheme."""
    marked: bool
    """False: the attacked picture never carried a mark (a negative)."""
    embedded: bool
    """False: the picture could not be read or marked (``error`` says why), so this row says nothing of the attack."""
    provider_id: int
    content_id: str
    """The embedded IDs; for a negative the IDs that it is scored against in ``log10_p_expected``. A content ID is
    decimal digits: layouts have up to 1,024 bits, a column of integers 64."""
    message_bits: int
    bit_errors: int | None
    """Channel bits that disagree with the expected message; None if decoding failed."""
    log10_p: float | None
    """Blind detection: p-value after paying for every code word and reading tried."""
    is_marked: bool
    """``log10_p`` at or below the deployed rate."""
    log10_p_expected: float | None
    """Verification against the expected IDs only (no search over code words): what the null diagnostics use."""
    decoded_provider_id: int | None
    decoded_content_id: str | None
    """What detection answered; None where it answered "no mark", or named nobody."""
    log10_doubt: float | None
    """Chance that the likeliest IDs are another's; marked and named nobody where above the misattribution rate."""
    payload_ok: bool | None
    """Detected, and named with exactly the embedded IDs; None for a negative."""
    readings: int | None
    psnr: float | None
    """Marked against original, dB; None for a negative."""
    ssim: float | None
    worst_tile_psnr: float | None
    """PSNR of the worst 64-px tile, dB: a mark that hides its energy in one corner shows here."""
    ms_ssim: float | None
    """None under 176 px a side too: five scales do not fit."""
    ciede2000: float | None
    """Mean colour difference; about 1 is just noticeable."""
    lpips: float | None
    dists: float | None
    flip: float | None
    ssimulacra2: float | None
    cvvdp: float | None
    """None, as the four before, unless the run was told ``perceptual=[...]`` with their names."""
    attack_psnr: float | None
    """Attacked against what was attacked, dB; None where pixels moved (not defined) or nothing changed (infinite)."""
    attack_ssim: float | None
    """The same pair; None where pixels moved."""
    edited_area: float | None
    """Share of the attacked picture that was edited. This and the next eight are None unless the run maps pictures
    (``localize``) and this one was mapped: marked, and untouched or edited in a part."""
    map_f1: float | None
    """Of the px that the map calls edited; None where nothing was edited."""
    map_iou: float | None
    map_alarms: float | None
    """Of the regions that lie wholly in the edited part, those called marked, at a promised share of 1e-2; None where
    there is no such region."""
    map_reached_1e2: float | None
    map_reached_1e3: float | None
    """Of the same regions those whose score is as high as a promise of 1e-2 and of 1e-3 asks for."""
    map_edited_marked: float | None
    """Of the edited px, those at the border of the part too, those called marked."""
    map_unknown: float | None
    """Of all px of the picture."""
    map_kept_edited: float | None
    """Of the px that were not edited, those called edited."""
    logits: bytes | None
    """The soft decisions as little-endian float16, scaled to unit RMS; None where the run does not keep them."""
    error: str | None
    """Why this cell failed, in one line; None if it did not."""


MAPS = tuple(field.name for field in fields(Record) if field.name == "edited_area" or field.name.startswith("map_"))
"""The columns that say what a map is worth."""

_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(), bytes: pa.binary()}


def arrow_schema() -> pa.Schema:
    """The parquet schema of the rows: the fields of ``Record``, nullable where they say ``| None``."""
    columns = []
    for field in fields(Record):
        kind = next(t for t in _ARROW if t is field.type or getattr(field.type, "__args__", (None,))[0] is t)
        columns.append(pa.field(field.name, _ARROW[kind], nullable=field.type is not kind))
    return pa.schema(columns)
