"""Whatever came from a file or a stranger goes through here before it is printed or stands in an error."""

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

LIMIT = 500
_CODED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # controls, bidi overrides, lone surrogates, line separators
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\U000e0100-\U000e01ef]")
"""Letters and marks that are drawn as nothing: two names that differ in them look the same."""
_MARKS = 4
"""Combining marks on one letter; more climb over the lines above."""

FROM_A_CLONE = (Path(__file__).parents[1] / "pyproject.toml").is_file()


def shown(value: object, limit: int = LIMIT) -> str:
    r"""One harmless line: control characters, escapes, bidi overrides and lone surrogates as ``\x1b``-like codes.

    Args:
        value: anything; its ``str`` is shown.
        limit: characters; what is longer is cut, and its length said.
    """
    try:
        text = str(value)
    except Exception as error:  # an exception whose text cannot be made is still told
        text = f"{type(value).__name__} ({type(error).__name__} while it was printed)"
    cut = text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
    return "".join(_harmless(cut, _code))


def to_install(text: str, command: str = "...") -> str:
    """The same text, its advice as it works here: from a clone an extra is asked for by ``uv``, before the command.

    Args:
        text: that may hold ``pip install 'robust-watermark[EXTRA]'``.
        command: what was typed after ``watermark``, and can be typed again.
    """
    if not FROM_A_CLONE:
        return text
    return re.sub(
        r"pip install 'robust-watermark\[(\w+)\]'", lambda found: f"uv run --extra {found[1]} watermark {command}", text
    )


def json_shown(value: object, indent: int | None = None) -> str:
    r"""JSON for standard output: letters of all languages as they are, and what drives a terminal as ``\u001b``.

    Where standard output is not UTF-8, all but ASCII is coded: JSON in another encoding is none.
    """
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "").replace("_", "")
    text = json.dumps(value, indent=indent, ensure_ascii=encoding != "utf8")
    return "\n".join("".join(_harmless(line, lambda letter: json.dumps(letter)[1:-1])) for line in text.split("\n"))


def _harmless(text: str, code: Callable[[str], str]) -> Iterator[str]:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        unseen = unicodedata.category(character) in _CODED or _UNSEEN.match(character)
        yield code(character) if unseen or marks > _MARKS else character


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"


def reason(error: BaseException, limit: int = LIMIT) -> str:
    """An exception as half a line: its text where it has one, else its kind."""
    text = getattr(error, "strerror", None) or " ".join(_words(error))
    return shown(text or type(error).__name__, limit)


def _words(error: BaseException) -> list[str]:
    try:
        return str(error).split()
    except Exception:
        return []
