"""What the answers of a study say: d', with an interval that knows that people and pictures differ."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from watermark.errors import UserError
from watermark.files.reading import read_regular
from watermark.metrics.rates import clopper_pearson
from watermark.shown import reason, shown

DRAWS = 2000
"""Bootstrap draws behind the interval of the whole study."""
SIDES = ("left", "right")
MOST_BYTES, MOST_ANSWERS, MOST_PICTURES = 2**24, 10_000, 1000
"""Of a file, of a file, and of a study: anybody may have sent it, and the interval takes time for each picture."""


@dataclass(frozen=True)
class Answer:
    """One choice between a marked picture and its original.

    Attributes:
        person: who chose.
        picture: which one was shown.
        right: the marked one was chosen.
    """

    person: str
    picture: str
    right: bool


@dataclass(frozen=True)
class Sensitivity:
    """How well marks were told from originals.

    Attributes:
        right: answers that were.
        n: answers.
        d_prime: 0 is guessing, 1 is 76 % right, 2 is 92 %.
        low: of its 95 % interval; minus infinity where no answer was right.
        high: of its 95 % interval; infinity where all answers were right.
    """

    right: int
    n: int
    d_prime: float
    low: float
    high: float


def read_answers(files: Sequence[Path]) -> list[Answer]:
    """The answers of several people to one study.

    Raises:
        UserError: naming the file: it is none of a study page, of another study, or of a person who was read already.
    """
    answers: list[Answer] = []
    study, people = None, set()
    for file in files:
        content = _load(file)
        try:
            name, person = str(content["study"]), str(content["person"])
            own = [_answer(person, one) for one in content["answers"][: MOST_ANSWERS + 1]]
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{shown(file)}: expected the answers that a page of `watermark study` saves") from None
        if len(own) > MOST_ANSWERS:
            raise UserError(f"{shown(file)}: expected at most {MOST_ANSWERS} answers of one person")
        if study is not None and name != study:
            raise UserError(f"{shown(file)}: expected answers to study {shown(study)}, got {shown(name)}")
        if person in people:
            raise UserError(f"{shown(file)}: expected one file for each person, got a second one of {shown(person)}")
        study = name
        people.add(person)
        answers += own
    if not answers:
        raise UserError("expected answers, got none")
    if (pictures := len({one.picture for one in answers})) > MOST_PICTURES:
        raise UserError(f"expected answers to at most {MOST_PICTURES} pictures, got {pictures}")
    return answers


def _load(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(read_regular(file, MOST_BYTES))
    except (ValueError, RecursionError) as error:
        expected = "expected a file of answers that the page of a study saved"
        raise UserError(f"{shown(file)}: {expected}, got no JSON ({reason(error)})") from None
    return content


def _answer(person: str, one: dict[str, object]) -> Answer:
    if one["marked"] not in SIDES or one["chosen"] not in SIDES:
        raise ValueError("no side")
    return Answer(person, str(one["picture"]), one["marked"] == one["chosen"])


def sensitivity(right: int, n: int) -> Sensitivity:
    """How well n independent choices between two were made, as d', with the Clopper-Pearson interval.

    Source: Macmillan and Creelman, Detection Theory, 2005 (d' = sqrt 2 z(share)); one half is added to the right and
    the wrong answers of the estimate (Hautus, 1995), so that it stays finite.

    Example:
        >>> found = sensitivity(38, 50)
        >>> print(f"{found.d_prime:.1f} [{found.low:.1f} to {found.high:.1f}]")
        1.0 [0.4 to 1.6]
    """
    low, high = clopper_pearson(right, n)
    return Sensitivity(right, n, _d_prime((right + 0.5) / (n + 1)), _d_prime(low), _d_prime(high))


def overall(answers: Sequence[Answer], seed: int = 0) -> Sensitivity:
    """The d' of a whole study.

    People and pictures are both drawn anew (bootstrap over both ways; Owen, 2007): the interval is for other people and
    other pictures. It is never narrower than that of independent answers, which keeps it honest where all are right.
    """
    people, who = np.unique([one.person for one in answers], return_inverse=True)
    pictures, what = np.unique([one.picture for one in answers], return_inverse=True)
    counts = np.zeros((2, len(people), len(pictures)))  # right, all
    np.add.at(counts[1], (who, what), 1)
    np.add.at(counts[0], (who, what), [one.right for one in answers])
    rng = np.random.default_rng(seed)
    draws = [_weights(rng, size) for size in counts.shape[1:]]  # (DRAWS, people), (DRAWS, pictures)
    right, n = np.einsum("dp,kpi,di->kd", draws[0], counts, draws[1])
    kept = n > 0  # somebody drawn was shown something drawn
    shares = (right[kept] + 0.5) / (n[kept] + 1)
    alone = sensitivity(int(counts[0].sum()), int(counts[1].sum()))
    low, high = (_d_prime(float(np.quantile(shares, q))) for q in (0.025, 0.975))
    return Sensitivity(alone.right, alone.n, alone.d_prime, min(low, alone.low), max(high, alone.high))


def grouped(answers: Sequence[Answer], by: str) -> dict[str, Sensitivity]:
    """The d' of each ``person`` or ``picture``, the most sensitive first."""
    rights: dict[str, list[bool]] = {}
    for one in sorted(answers, key=attrgetter(by)):
        rights.setdefault(getattr(one, by), []).append(one.right)
    found = {name: sensitivity(sum(right), len(right)) for name, right in rights.items()}
    return dict(sorted(found.items(), key=lambda item: -item[1].d_prime))


def _weights(rng: np.random.Generator, size: int) -> np.ndarray:
    return rng.multinomial(size, np.full(size, 1 / size), size=DRAWS).astype(float)


def _d_prime(share: float) -> float:
    return math.sqrt(2) * float(norm.ppf(share))
