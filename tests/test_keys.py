import numpy as np

from watermark.keys import keyed_permutation, keyed_signs, keyed_uniform, keyed_words

GOLDEN = [468981720403722230, 73865164780201816]
ORDER = [6, 4, 5, 3, 1, 2, 0, 7]


def test_streams_are_fixed_for_ever():
    """Marks that exist must stay readable: these values may never change, on any library version."""
    assert keyed_words("a secret", "test", 2).tolist() == GOLDEN
    assert keyed_permutation(7, "test", 8).tolist() == ORDER


def test_keys_of_different_kind_or_purpose_have_nothing_in_common():
    streams = [keyed_words(key, purpose, 4).tolist() for key in (7, "7", b"7") for purpose in ("a", "b")]
    assert len({tuple(stream) for stream in streams}) == 6


def test_signs_and_uniforms_are_balanced():
    signs, uniform = keyed_signs(1, "s", 40_000), keyed_uniform(1, "u", 40_000)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.mean()) < 0.02
    assert abs(uniform.mean() - 0.5) < 0.01
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert sorted(keyed_permutation(1, "p", 1000)) == list(range(1000))
