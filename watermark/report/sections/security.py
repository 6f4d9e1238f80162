"""What an attacker gets who wants a false positive, a lost owner, or somebody else's name: the tests F1 to F6."""

import json
import re
from pathlib import Path

from watermark.metrics.rates import wilson
from watermark.report.rows import Json, Run

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


def security(run: Run) -> Json | None:
    """The answers of ``forgery.json`` in the run folder, intervals counted again; None where there is none.

    Raises:
        ValueError: if the file is not one of ``watermark forgery``.
    """
    path = run.path / FILE
    if not path.is_file():
        return None
    content = read(path)
    return {
        "facts": {name: value for name, value in content.items() if name != "answers"},
        "tests": {name: text for name, text in TESTS.items() if any(a["test"] == name for a in content["answers"])},
        "answers": [_answer(answer) for answer in content["answers"]],
    }


def read(path: Path) -> Json:
    """A ``forgery.json`` of any format: facts about the run of the tests, and ``answers``.

    Raises:
        ValueError: if it is none; one line.
    """
    try:
        content = json.loads(path.read_text())
        content = {"answers": content} if isinstance(content, list) else content
        for answer in content["answers"]:
            wilson(answer["wins"], answer["n"])
            _ = {name: answer[name] for name in FIELDS}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected the answers of watermark forgery ({error})") from None
    return content


def _answer(answer: Json) -> Json:
    """One count with its Wilson interval; ``amount`` is how many pictures were averaged or copies compared."""
    low, high = wilson(answer["wins"], answer["n"])
    amount = re.search(r"\b(?:average|mean|mosaic) of (\d+)", answer["setting"])
    return {
        **{name: answer[name] for name in FIELDS},
        "rate": answer["wins"] / answer["n"],
        "low": low,
        "high": high,
        "amount": int(amount[1]) if amount else None,
        "family": re.sub(r"\bof \d+\b", "of n", answer["setting"]) if amount else answer["setting"],
    }
