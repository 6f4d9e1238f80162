import itertools

import pytest

from watermark.registry.permutation import KeyedPermutation


@pytest.mark.parametrize("bits", range(1, 14))
def test_every_number_of_a_small_width_is_hit_exactly_once(bits):
    shuffle = KeyedPermutation(b"secret", "test", bits)
    ids = [shuffle.forward(index) for index in range(2**bits)]
    assert sorted(ids) == list(range(2**bits))
    assert [shuffle.inverse(value) for value in ids] == list(range(2**bits))


@pytest.mark.parametrize("bits", [37, 40, 46, 56, 63, 68, 127, 128])
def test_wide_fields_invert_and_stay_inside_their_width(bits):
    shuffle = KeyedPermutation(b"secret", "test", bits)
    indices = [0, 1, 2, 2**bits - 1, 2 ** (bits - 1), 12345 % 2**bits]
    ids = [shuffle.forward(index) for index in indices]
    assert len(set(ids)) == len(indices)
    assert all(0 <= value < 2**bits for value in ids)
    assert [shuffle.inverse(value) for value in ids] == indices


def test_ids_are_fixed_for_years():
    assert KeyedPermutation(b"secret", "test", 40).forward(0) == 226065060889
    assert KeyedPermutation(b"secret", "test", 68).forward(1) == 87467868538077372281


def test_order_of_issue_cannot_be_seen_in_the_ids():
    ids = [KeyedPermutation(7, "slot 1", 40).forward(index) for index in range(4000)]
    ascents = sum(b > a for a, b in itertools.pairwise(ids)) / 3999
    assert abs(ascents - 0.5) < 0.03  # 5 standard deviations of a random order (variance (n + 1) / 12)
    for bit in range(40):
        assert abs(sum(value >> bit & 1 for value in ids) / 4000 - 0.5) < 0.04  # 5 standard deviations


def test_key_and_purpose_give_different_orders():
    shuffles = [KeyedPermutation(*arguments, 40) for arguments in [(7, "a"), (7, "b"), (8, "a"), ("7", "a")]]
    assert len({shuffle.forward(5) for shuffle in shuffles}) == 4


@pytest.mark.parametrize("value", [-1, 2**8])
def test_a_number_outside_the_field_is_refused(value):
    with pytest.raises(ValueError, match="8 bits"):
        KeyedPermutation(7, "a", 8).forward(value)
