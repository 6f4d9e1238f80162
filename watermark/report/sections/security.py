"""What an attacker gets who wants a false positive, a lost owner or somebody else's name, and what it costs him."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from watermark.evaluation.manifest import MAX_BYTES, parsed
from watermark.evaluation.parts import own_file
from watermark.evaluation.rows import Run
from watermark.files.reading import read_regular
from watermark.json_schema import Count, Json, Share, limits
from watermark.metrics.rates import wilson

FILE = "forgery.json"
"""What ``watermark forgery`` writes; beside the rows of a run it becomes a section of the report."""
TESTS = {
    "F1": "Averaging: the mean of n marked pictures is added to clean ones, or taken off marked ones",
    "F2": "Copying: what a denoiser takes out of a marked picture is put on a clean one",
    "F3": "Overwriting: a second provider marks the picture too",
    "F4": "Gradients: of the decoder, by somebody who holds the key (an upper bound), or of one that he trained",
    "F5": "Collusion: customers compare their copies of one picture",
    "F6": "Look-up: an ID one bit away, or a random one, is named",
}
FIELDS = ("scheme", "test", "setting", "attacker_wants", "wins", "n", "psnr")

COST_FIELDS = ("scheme", "attack", "knows", "wants", "unit")


@dataclass(frozen=True)
class SecurityAnswer:
    """Wins of n pictures for the attacker, with the 95 % Wilson interval."""

    scheme: str
    test: Literal["F1", "F2", "F3", "F4", "F5", "F6"]
    setting: str
    attacker_wants: str
    wins: Count
    n: Annotated[int, limits(minimum=1)]
    rate: Share
    low: Share
    high: Share
    psnr: Annotated[float | None, "dB, of his pictures against what he started from"]
    amount: Annotated[int | None, "pictures averaged or copies compared"]
    family: Annotated[str, "the setting without its amount: answers of one family are one curve"]


@dataclass(frozen=True)
class CostRung:
    """One strength of an attack: wins of n pictures, at a mean PSNR to the pictures that he started from."""

    strength: float
    wins: Count
    n: Annotated[int, limits(minimum=1)]
    psnr: Annotated[float, "dB"]


@dataclass(frozen=True)
class AttackPrice:
    """The least damage at which the attacker had half of what he wanted; without the key."""

    scheme: str
    attack: str
    knows: Annotated[str, "what he has; plain: nothing that has to do with the mark, the yardstick"]
    wants: str
    unit: Annotated[str, "of the strength"]
    rungs: list[CostRung]
    reached: Annotated[bool, "whether he ever had half; what follows is that rung, or else the one with the most wins"]
    strength: float
    wins: Count
    n: Annotated[int, limits(minimum=1)]
    low: Share
    high: Share
    psnr: Annotated[float, "dB"]


@dataclass(frozen=True)
class Costs:
    """What ``watermark forgery --costs`` found; null where it was not run."""

    facts: dict[str, Any]
    rows: list[AttackPrice]


@dataclass(frozen=True)
class Security:
    """What ``watermark forgery`` found; null where it was not run for this folder."""

    facts: dict[str, Any]
    tests: dict[str, str]
    answers: list[SecurityAnswer]
    costs: Annotated[Costs | None, "since 1.5.0"]


def security(run: Run) -> Security | None:
    """The answers of ``forgery.json`` in the run folder, intervals counted again; None where there is none.

    Raises:
        ValueError: if the file is not one of ``watermark forgery``.
    """
    path = own_file(run.path, FILE)
    if path is None:
        return None
    content = read(path)
    return Security(
        facts={name: value for name, value in content.items() if name not in ("answers", "costs")},
        tests={name: text for name, text in TESTS.items() if any(a["test"] == name for a in content["answers"])},
        answers=[_answer(answer) for answer in content["answers"]],
        costs=_costs(content["costs"]) if "costs" in content else None,
    )


def read(path: Path) -> Json:
    """A ``forgery.json`` of any format: facts about the run of the tests, and ``answers``.

    Raises:
        ValueError: if it is none; one line.
    """
    try:
        content = parsed(read_regular(path, MAX_BYTES))
        content = {"answers": content} if isinstance(content, list) else content
        for answer in content["answers"]:
            wilson(answer["wins"], answer["n"])
            _ = {name: answer[name] for name in FIELDS}
        if "costs" in content:
            _costs(content["costs"])
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: expected the answers of watermark forgery ({error})") from None
    return content


def _costs(costs: Json) -> Costs:
    """Every price, taken from its rungs again."""
    return Costs(dict(costs["facts"]), [_price(row) for row in costs["rows"]])


def _price(row: Json) -> AttackPrice:
    rungs = [CostRung(rung["strength"], rung["wins"], rung["n"], rung["psnr"]) for rung in row["rungs"]]
    half = max((rung for rung in rungs if 2 * rung.wins >= rung.n), key=lambda rung: rung.psnr, default=None)
    shown = half or max(rungs, key=lambda rung: (rung.wins, -rung.psnr))
    low, high = wilson(shown.wins, shown.n)
    return AttackPrice(
        **{name: row[name] for name in COST_FIELDS},
        **vars(shown),
        rungs=rungs,
        reached=half is not None,
        low=low,
        high=high,
    )


def _answer(answer: Json) -> SecurityAnswer:
    """One count with its Wilson interval. Files of format 1 say neither amount nor family: each answer stands alone."""
    low, high = wilson(answer["wins"], answer["n"])
    return SecurityAnswer(
        **{name: answer[name] for name in FIELDS},
        rate=answer["wins"] / answer["n"],
        low=low,
        high=high,
        amount=answer.get("amount"),
        family=answer.get("family") or answer["setting"],
    )
