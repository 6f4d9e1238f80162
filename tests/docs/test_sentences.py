"""Sentences of README and docs are short, in the reader's count: words, where code is one word and a link its text."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MOST = 30
"""Words."""
FENCE, ITEM = re.compile(r"\s*(```|~~~)"), re.compile(r"^([-*+:]|\d+\.)\s+")
END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[A-Z\"'(\[0-9])|;\s|(?<=[.!?:])\s+(?=CODE)")


def blocks(text: str) -> Iterator[str]:
    """Paragraphs, list items and cells of tables; no code, no headings."""
    held: list[str] = []
    in_code = False
    for line in [*text.splitlines(), ""]:
        bare = line.strip()
        fence = bool(FENCE.match(line))
        starts = not bare or fence or in_code or bare.startswith(("#", "<!--", "![", "|")) or ITEM.match(bare)
        if starts and held:
            yield " ".join(held)
            held = []
        in_code ^= fence
        if in_code or fence or bare.startswith(("#", "<!--", "![")):
            continue
        if bare.startswith("|"):
            yield from (cell.strip() for cell in re.split(r"(?<!\\)\|", bare.strip("|")))
        elif bare:
            held.append(ITEM.sub("", bare, count=1))


def sentences(block: str) -> list[str]:
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", block)
    return END.split(re.sub(r"`[^`]*`", "CODE", plain).replace("*", ""))


def words(sentence: str) -> int:
    return sum(bool(re.search(r"\w", word)) for word in re.split(r"[\s/]+", sentence))


def test_the_count_is_that_of_a_reader():
    text = "# Head\n\nOne `a b c` is *two* [three four](x.md). Five;\nsix!\n\n- seven\n  eight\n\n"
    text += "```\ncode\n```\n| nine | ten |\n"
    counted = [words(sentence) for block in blocks(text) for sentence in sentences(block)]
    assert counted == [6, 1, 1, 2, 1, 1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_sentence_is_longer_than_one_breath(page):
    found = [sentence for block in blocks(page.read_text()) for sentence in sentences(block)]
    assert len(found) > 1
    assert [sentence for sentence in found if words(sentence) > MOST] == []
