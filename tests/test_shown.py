import pytest

from watermark.shown import reason, shown


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
