"""The verdict in words: which scheme, how sure, and what the reader must know before believing it."""

from dataclasses import dataclass

from watermark.evaluation.rows import Run
from watermark.report.sections.breaking import LEAST, Breaking, lost_at
from watermark.report.sections.coverage import Coverage
from watermark.report.sections.localization import Localization
from watermark.report.sections.pairwise import LEVEL, SchemePair
from watermark.report.sections.verdict import Card
from watermark.report.wording import count, percent, plural, power, unequal

SMALL = 20
"""Pictures under which the page warns in its first screen."""
NAMED = 3
"""Schemes that a headline names; more that cannot be told apart are counted."""


@dataclass(frozen=True)
class Sentence:
    """In words: which scheme, how sure, what is promised, and what the reader must know before believing it."""

    headline: str
    detail: str
    promise: str
    small: str | None


def sentence(
    run: Run,
    found: list[Card],
    pairs: list[SchemePair],
    covered: Coverage,
    broken: Breaking | None = None,
    mapped: Localization | None = None,
) -> Sentence:
    """A headline, what was done, what is promised, and warnings; numbers stand on the cards.

    Args:
        run: the evaluation.
        found: from ``verdict.cards``.
        pairs: from ``pairwise.pairs``: tells "no difference seen" from "none could have been seen".
        covered: from ``coverage``: what is not there yet, and on how many pictures false alarms were counted.
        broken: from ``breaking.breaking``: breaking points come first where there are any.
        mapped: from ``localization.localization``.
    """
    best = found[0]
    noun = "photo" if best.group == "natural" else "test picture"
    promised = run.false_positive_rate
    searched = broken is not None and best.withstood is not None
    small = _few(_images(broken)) if broken and searched else _small(best)
    warnings = (
        covered.unfinished,
        _refused(covered),
        _unread(found),
        small,
        unequal(card.quality.psnr for card in found),
        _outside(found),
    )
    return Sentence(
        headline=(
            _broken_headline(run, found, broken, pairs, noun) if broken and searched else _headline(found, pairs, noun)
        ),
        detail=(_broken_detail(broken, noun) if broken and searched else _detail(best, noun))
        + (f" {covered.drawn}" if covered.drawn else "")
        + _maps(mapped, best),
        promise=(
            f"“Found” means a p-value of at most {power(promised)} after paying for everything that was tried: in "
            f"theory one false alarm in {count(1 / promised)} unmarked pictures. {_alarms(found, covered)}"
        ),
        small=" ".join(filter(None, warnings)) or None,
    )


def _headline(found: list[Card], pairs: list[SchemePair], noun: str) -> str:
    best = found[0]
    if not best.detection.n:
        return "Nothing to judge: no marked picture was read after an attack"
    level = [card.scheme for card in found[1:] if card.rank == "not separable"]
    worse = [card.scheme for card in found[1:] if card.rank == "worse"]
    tied = [card.scheme for card in found if card.detection.rate == best.detection.rate]
    few, hopeless = _too_few(best.detection.images, noun), _is_hopeless(pairs)
    if level and hopeless and len(tied) == 1:
        return f"{best.scheme} keeps the most marks; {few} to prove it best"
    if level and hopeless and len(tied) < len(found):
        lost = "lost no mark" if best.detection.rate == 1 else "kept the most marks"
        return f"{_listed(tied)} {lost}; {few} to rank the schemes"
    if level and worse:
        return f"{_listed([best.scheme, *level])} lead and cannot be told apart"
    if level:
        return f"No scheme stands out among {_listed([best.scheme, *level])}"
    kept = percent(vars(best.detection))
    if worse:
        return f"{best.scheme} survives best: found in {kept} of attacked {noun}s"
    return f"{best.scheme}: mark found in {kept} of attacked {noun}s"


def _too_few(images: int, noun: str) -> str:
    return f"{plural(images, noun)} {'is' if images == 1 else 'are'} too few"


def _is_hopeless(pairs: list[SchemePair]) -> bool:
    """Whether so few pictures can prove nothing, however large a difference is."""
    return any(pair.overall.smallest_p > LEVEL for pair in pairs)


def _broken_headline(run: Run, found: list[Card], broken: Breaking, pairs: list[SchemePair], noun: str) -> str:
    """What the first attack takes to break the first scheme and the one that it breaks first; who withstands most."""
    own = {p.scheme: p for p in broken.points if p.attack == broken.axes[0].attack and p.group == run.headline_group}
    weakest = min(
        (card.scheme for card in found if card.scheme in own), key=lambda name: own[name].median.level, default=""
    )
    ends = [name for name in dict.fromkeys((found[0].scheme, weakest)) if name in own]
    said = lost_at([own[name] for name in ends], run.axes[broken.axes[0].attack])
    last = who_withstands(found)
    if len(found) > 1 and _is_hopeless(pairs):
        last = f"{_too_few(_images(broken), noun)} to rank the schemes"
    return "; ".join(filter(None, (said, last if len(found) > 1 else ""))) or last


def who_withstands(found: list[Card]) -> str:
    """Who withstands most; many that cannot be told apart are counted and not named."""
    level = [card.scheme for card in found if card.rank in ("best", "not separable")]
    if len(level) == 1:
        return f"{level[0]} withstands most"
    if len(level) < len(found):
        return f"{_listed(level)} withstand most"
    return f"{_listed(level) if len(level) <= NAMED else f'the {len(level)} schemes'} cannot be told apart"


def _broken_detail(broken: Breaking, noun: str) -> str:
    attacks = plural(len(broken.axes), "attack")
    return f"{_each(_images(broken), noun)} was attacked harder and harder until its mark was lost: {attacks}."


def _each(images: int, noun: str) -> str:
    return f"Each of {plural(images, noun)}" if images > 1 else f"One {noun}"


def _images(broken: Breaking) -> int:
    return max((point.images for point in broken.points), default=0)


def _few(images: int) -> str | None:
    if images < LEAST:
        return f"Only {plural(images, 'picture')}: medians without intervals, which take {LEAST} pictures."
    return f"Only {plural(images, 'picture')}: read the intervals, not the medians." if images < SMALL else None


def _detail(best: Card, noun: str) -> str:
    if not best.detection.n:
        return "See Failures."
    readings = plural(best.detection.n, "reading")
    return f"{_each(best.detection.images, noun)} was marked, attacked and read: {readings} of each scheme."


def _maps(mapped: Localization | None, best: Card) -> str:
    """What no card says: how well the maps fit."""
    own = [one for one in mapped.schemes if (one.scheme, one.group) == (best.scheme, best.group)] if mapped else []
    if not own or own[0].f1 is None:
        return ""
    found = own[0].f1
    between = "" if found.low is None or found.high is None else f" [{found.low:.2f} to {found.high:.2f}]"
    return f" Its map shows what was edited: F1 {found.mean:.2f}{between} for {best.scheme}."


def _outside(found: list[Card]) -> str | None:
    """Whose "found" is no p-value of ours."""
    names = [card.scheme for card in found if card.outside]
    if not names:
        return None
    alarms, n = (
        sum(getattr(card.false_positives, what) for card in found if card.outside) for what in ("successes", "n")
    )
    counted = f"{count(alarms)} false alarms in {plural(n, 'reading')}" if n else "its false alarms were not counted"
    return f"{_listed(names)}: somebody else's detector, to which no promise applies; {counted}."


def _alarms(found: list[Card], covered: Coverage) -> str:
    """On how many pictures the cards count; that nobody looked for any alarm has to be said."""
    if not any(card.false_positives.n for card in found):
        return "No unmarked picture was read here to measure it."
    return f"The cards count false alarms on {plural(covered.unmarked_pictures, 'unmarked picture')}."


def _refused(covered: Coverage) -> str | None:
    lost = max(covered.not_marked.values(), default=0)
    if not lost:
        return None
    verb = "counts" if lost == 1 else "count"
    return f"{plural(lost, 'picture')} of {covered.pictures} could not be read or marked, and {verb} nowhere."


def _unread(found: list[Card]) -> str | None:
    names = [card.scheme for card in found if not card.detection.n and card.withstood is None]
    return f"{_listed(names)} could not be measured: see Failures." if names and len(names) < len(found) else None


def _small(best: Card) -> str | None:
    images = best.detection.images
    if images >= SMALL or images == 0:
        return None
    text = f"Only {plural(images, 'picture')}: read the intervals, not the rates."
    if best.detection.successes < best.detection.n:
        return text
    return text + f" A scheme that fails on one picture in {max(2, images // 2)} could still have passed here by luck."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
