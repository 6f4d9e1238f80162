import io
import json
import unicodedata

import pytest

from watermark.shown import json_shown, reason, shown


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("plain Größe 图", "plain Größe 图"),
        ("a\nb\r\x1b[31m\x00", "a\\x0ab\\x0d\\x1b[31m\\x00"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
        ("a\u3164b\u2800c\u034f", "a\\u3164b\\u2800c\\u034f"),
        ("e" + 6 * "\u0301", "e" + 4 * "\u0301" + 2 * "\\u0301"),
        ("\x1b]8;;http://x\x07here\x1b]8;;\x07", "\\x1b]8;;http://x\\x07here\\x1b]8;;\\x07"),
        ("\x9b2J\u2028\U000e0041", "\\x9b2J\\u2028\\U000e0041"),
    ],
)
def test_nothing_shown_can_drive_a_terminal_or_forge_a_line(given, expected):
    assert shown(given) == expected
    shown(given).encode("utf-8")


def test_what_is_long_is_cut_and_an_unprintable_error_still_has_a_name():
    assert shown("x" * 1000, 10) == "xxxxxxxxxx... (1000 characters)"

    class Silent(Exception):
        def __str__(self):
            raise ValueError

    assert reason(Silent()) == "Silent"
    assert reason(KeyError()) == "KeyError"


def test_json_keeps_the_letters_of_all_languages_and_codes_what_drives_a_terminal(monkeypatch):
    value = {"file": "Grüße 图片 \x1b[2J\u009b\u202e\u200b\n.png", "tag": "\U000e0041", "lone": "\udcff"}
    for encoding, kept in (("utf-8", "Grüße 图片 "), ("cp1252", "Gr\\u00fc\\u00dfe \\u56fe\\u7247 ")):
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
        for indent in (None, 2):
            text = json_shown(value, indent=indent)
            assert json.loads(text) == value
            assert kept in text
            assert [c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Co", "Cs", "Cn"} and c != "\n"] == []
            assert text.count("\n") == (0 if indent is None else 4)
