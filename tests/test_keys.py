import numpy as np
import pytest

from watermark import Watermarker
from watermark.keys import derived_key, key_bytes, keyed_permutation, keyed_signs, keyed_uniform, keyed_words
from watermark.reader import scheme_key
from watermark.schemes.dwt_dct import DwtDct

GOLDEN = [468981720403722230, 73865164780201816]
SCHEME_KEY = "b65906d98dff6fd77f206c807ad9499d854c6c9cf957dc8dae86db6536ab2808"
ORDER = [6, 4, 5, 3, 1, 2, 0, 7]


def test_streams_are_fixed_for_ever():
    """Marks that exist must stay readable: these values may never change, on any library version."""
    assert keyed_words("a secret", "test", 2).tolist() == GOLDEN
    assert keyed_permutation(7, "test", 8).tolist() == ORDER


def test_keys_of_different_kind_or_purpose_have_nothing_in_common():
    streams = [keyed_words(key, purpose, 4).tolist() for key in (7, "7", b"7") for purpose in ("a", "b")]
    assert len({tuple(stream) for stream in streams}) == 6


@pytest.mark.parametrize(
    "key", [True, False, np.True_, 1.0, 1.9, np.float64(1.2), None, bytearray(b"12"), memoryview(b"1"), [1], object()]
)
def test_what_is_no_key_is_refused_and_never_converted_to_one(key):
    for use in (key_bytes, scheme_key, lambda key: Watermarker.load("dwt_dct", key), lambda key: DwtDct(key=key)):
        with pytest.raises(TypeError, match="a key must be a str, bytes or int, got"):
            use(key)


@pytest.mark.parametrize("key", ["", b"", np.str_(""), " ", "\t\n", b"  ", "\u3000\u00a0"])
def test_an_empty_or_blank_key_is_refused(key):
    for use in (key_bytes, scheme_key, lambda key: Watermarker.load("dwt_dct", key), lambda key: DwtDct(key=key)):
        with pytest.raises(ValueError, match="a key must not be empty or blank"):
            use(key)


@pytest.mark.parametrize("key", [1 << 4096, -(1 << 20_000), 10**5000], ids=["just", "negative", "decimal"])
def test_a_number_that_python_does_not_write_out_is_refused_in_our_words(key):
    with pytest.raises(ValueError, match="at most 4096 bits"):
        key_bytes(key)
    assert key_bytes((1 << 4096) - 1) != key_bytes((1 << 4096) - 2)


def test_distinct_keys_have_distinct_bytes():
    keys = [
        0,
        1,
        -1,
        12,
        "0",
        "1",
        "-1",
        "12",
        "i1",
        "b1",
        b"0",
        b"1",
        b"i1",
        b"s1",
        b"\0",
        b"\0\0",
        "\0",
        "\ud800",
        "e\u0301",
        "a",
        "a ",
        "a\n",
        "\u200b",
        "x" * 100_000,
        "x" * 100_001,
        "é",
    ]
    assert len({key_bytes(key) for key in keys}) == len(keys)
    assert key_bytes(np.int64(12)) == key_bytes(12)


def test_the_schemes_key_has_all_the_bits_of_the_secret_and_no_other_purposes():
    key = scheme_key(b"a secret")
    assert len(key) == 32
    assert key.hex() == SCHEME_KEY
    others = [scheme_key("a secret"), derived_key(b"a secret", "something else"), b"a secret"]
    assert len({key, *others}) == 4


def test_signs_and_uniforms_are_balanced():
    signs, uniform = keyed_signs(1, "s", 40_000), keyed_uniform(1, "u", 40_000)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.mean()) < 0.02
    assert abs(uniform.mean() - 0.5) < 0.01
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert sorted(keyed_permutation(1, "p", 1000)) == list(range(1000))
