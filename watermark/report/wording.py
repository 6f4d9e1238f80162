"""Numbers in words: rounded no finer than their sample supports."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

THIN_SPACE = "\u202f"
NOTHING = "\u2013"
"""What stands where nothing was measured."""
UNEQUAL = 0.5
"""Decibels between schemes from which quality is not equal."""


def digits(rate: Mapping[str, Any]) -> int:
    """Decimals of a percentage that its interval can bear: none unless the interval is narrower than two points."""
    width = 100 * (rate["high"] - rate["low"])
    return 0 if width >= 2 else 1 if width >= 0.2 else 2


def percent(rate: Mapping[str, Any]) -> str:
    """``97 %``; a dash where nothing was measured. Never rounds a miss away: 99.96 % stays under 100."""
    if rate["rate"] is None:
        return NOTHING
    return _number(rate["rate"], digits(rate)) + THIN_SPACE + "%"


def interval(rate: Mapping[str, Any]) -> str:
    """``93 to 99 %``, the 95 % interval, rounded outwards."""
    if rate["n"] == 0:
        return "nothing measured"
    places = digits(rate)
    step = 10**places
    low = math.floor(100 * rate["low"] * step + 1e-9) / step
    high = math.ceil(100 * rate["high"] * step - 1e-9) / step
    return f"{low:.{places}f} to {min(high, 100):.{places}f}{THIN_SPACE}%"


def share(rate: Mapping[str, Any]) -> str:
    """``97 % (95 % interval 93 to 99 %)``."""
    return percent(rate) if rate["n"] == 0 else f"{percent(rate)} (95{THIN_SPACE}% interval {interval(rate)})"


def plural(n: int, noun: str) -> str:
    """``1 picture``, ``12 pictures``."""
    return f"{count(n)} {noun}{'' if n == 1 else 's'}"


def n_of(rate: Mapping[str, Any]) -> str:
    """``n = 540 readings of 12 images``, or ``n = 12 images`` where each was read once."""
    if rate["n"] == rate["images"]:
        return f"n = {plural(rate['n'], 'image')}"
    return f"n = {plural(rate['n'], 'reading')} of {plural(rate['images'], 'image')}"


def _number(value: float, places: int) -> str:
    """A percentage that shows 100 only if nothing was missed and 0 only if nothing was found."""
    text = f"{100 * value:.{places}f}"
    if value < 1 and float(text) >= 100:
        return f"{100 - 10**-places:.{places}f}"
    if value > 0 and float(text) == 0:
        return f"<{10**-places:.{places}f}"
    return text


def count(value: float) -> str:
    """An integer with thin spaces between thousands."""
    return f"{round(value):,}".replace(",", THIN_SPACE)


def count_of(rate: Mapping[str, Any]) -> str:
    """``3 / 1 200``."""
    return f"{rate['successes']} / {count(rate['n'])}"


def upper_bound(value: float) -> str:
    """A false-positive rate as a percentage, rounded up so that it stays a bound."""
    if value <= 0:
        return "0"
    exponent = math.floor(math.log10(100 * value))
    scale = 10.0 ** (exponent - 1)
    rounded = math.ceil(100 * value / scale - 1e-9) * scale
    return f"{rounded:.{max(0, 1 - exponent)}f}{THIN_SPACE}%"


def power(rate: float) -> str:
    """A small rate the way people write it: ``1e-6``."""
    mantissa, exponent = f"{rate:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def strength(value: float | None) -> str:
    """A strength without trailing zeros."""
    return "" if value is None else f"{value:g}"


def digits2(value: float | None) -> str:
    """Two significant digits, without an exponent between 0.001 and a million."""
    if value is None:
        return NOTHING
    if value == 0 or not 1e-3 <= abs(value) < 1e6:
        return f"{value:.1e}" if value else "0"
    return f"{value:.{max(0, 1 - math.floor(math.log10(abs(value))))}f}"


def seconds(value: float | None) -> str:
    """Seconds or milliseconds with two significant digits."""
    if value is None:
        return NOTHING
    return f"{digits2(value)}{THIN_SPACE}s" if value >= 1 else f"{digits2(1000 * value)}{THIN_SPACE}ms"


def fixed(value: float | str | None, places: int) -> str:
    """A number with fixed decimals; ``inf`` and ``-inf`` stay words, nothing is a dash."""
    if value is None:
        return NOTHING
    return value if isinstance(value, str) else f"{value:.{places}f}"


def db(value: float | None, unit: bool = True) -> str:
    """Decibels with one decimal."""
    return NOTHING if value is None else f"{value:.1f}" + (f"{THIN_SPACE}dB" if unit else "")


def unequal(decibels: Iterable[float | None]) -> str | None:
    """That schemes are marked at other qualities, where it is more than ``UNEQUAL`` decibels."""
    known = [value for value in decibels if value is not None]
    if not known or max(known) - min(known) < UNEQUAL:
        return None
    return (
        f"Schemes are marked at {min(known):.1f} to {max(known):.1f} dB, so this is not a comparison at equal quality; "
        "target_psnr=42 makes one."
    )


def p_value(value: float | None) -> str:
    """A p-value with two digits, as a power of ten where it is small."""
    if value is None:
        return NOTHING
    return f"{value:.2f}" if value >= 0.095 else f"{value:.3f}" if value >= 0.001 else power(value)


def from_log10(value: float | None) -> str:
    """A p-value that is known by its log10."""
    if value is None:
        return NOTHING
    return p_value(10.0**value) if value > -300 else f"1e{value:.0f}"


def difference(test: Mapping[str, Any]) -> str:
    """``+12 points [+3, +21]``."""
    text = points(test["difference"])
    if test["low"] is None or test["low"] == test["high"]:
        return text
    return text + f" [{100 * test['low']:+.0f}, {100 * test['high']:+.0f}]"


def points(gap: float) -> str:
    """A gap between two rates: ``+12 points``; no sign where it rounds to nothing."""
    whole = round(100 * gap)
    return f"{whole:+d} point{'' if abs(whole) == 1 else 's'}" if whole else "0 points"


def broke(point: Mapping[str, Any] | None, axis: Mapping[str, Any]) -> str:
    """The median strength at which a mark is lost: ``7``; ``< 1`` where it is not lost up to the harsh end."""
    if point is None:
        return NOTHING
    if point["median"]["strength"] is None:
        return ("<" if axis["harsh"] < axis["mild"] else ">") + f" {axis['harsh']:.3g}"
    return f"{point['median']['strength']:.3g}"


def broke_between(point: Mapping[str, Any] | None, axis: Mapping[str, Any]) -> str:
    """Its 95 % interval, from the mild end on: `` [9 to 5]``; nothing where there are too few pictures for one."""
    if point is None or point["low"] is None:
        return ""
    ends = [broke({"median": end}, axis) for end in (point["low"], point["high"])]
    return f" [{ends[0]}]" if ends[0] == ends[1] else f" [{ends[0]} to {ends[1]}]"


def exponent(law: Mapping[str, Any]) -> tuple[str, str]:
    """An exponent and its interval: ``0.45`` and ``0.31 to 0.59``."""
    known = law["low"] is not None
    return f"{law['exponent']:.2f}", f"{law['low']:.2f} to {law['high']:.2f}" if known else NOTHING
