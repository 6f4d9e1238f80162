"""The axis of an attack and the search on it."""

import math

import pytest

from watermark.evaluation.axis import Axis, search

AXES = [
    Axis("log", 95, 1, 1),
    Axis("log", 0.005, 0.8),
    Axis("linear", 0.2, -0.25),
    Axis("log", 3, 51, 2),
    Axis("linear", 0.95, 0),
]


def asked(axis, readings, breaks_at):
    """The strengths that a search asks of a mark that is lost from a level on, with the answers."""
    answers = {}

    def survives(strength):
        assert strength not in answers, f"{strength} was asked twice"
        answers[strength] = axis.level(strength) < breaks_at
        return answers[strength]

    search(axis, readings, survives)
    return answers


@pytest.mark.parametrize("axis", AXES, ids=str)
def test_strengths_go_one_way_from_the_mild_end_to_the_harsh_one(axis):
    strengths = [axis.strength(k / 200) for k in range(201)]
    assert (strengths[0], strengths[-1]) == (axis.mild, axis.harsh)
    ordered = sorted(strengths, reverse=axis.harsh < axis.mild)
    assert strengths == ordered
    for strength in strengths:
        assert 0 <= axis.level(strength) <= 1
        if axis.step:
            assert ((strength - axis.mild) / axis.step).is_integer()


def test_equal_steps_are_equal_ratios_or_equal_differences():
    assert Axis("log", 0.01, 1).strength(0.5) == pytest.approx(0.1)
    assert Axis("linear", 0.01, 1).strength(0.5) == pytest.approx(0.505)
    assert Axis("log", 0.01, 1).level(0.1) == pytest.approx(0.5)


@pytest.mark.parametrize("axis", AXES[:2], ids=str)
@pytest.mark.parametrize("breaks_at", [0.01, 0.2, 0.51, 0.9, 0.999])
def test_six_readings_enclose_the_breaking_point_in_a_32nd_of_the_axis(axis, breaks_at):
    answers = asked(axis, 6, breaks_at)
    alive = [axis.level(s) for s, yes in answers.items() if yes] or [0]
    lost = [axis.level(s) for s, yes in answers.items() if not yes]
    width = 1 / 32 if axis.step is None else max(1 / 32, math.log(2) / math.log(95))  # 2 and 1 are neighbours
    assert max(alive) < breaks_at <= min(lost)
    assert min(lost) - max(alive) <= width + 0.02  # strengths are rounded
    assert len(answers) <= 7


def test_a_mark_that_never_breaks_costs_one_reading_and_one_that_breaks_at_once_is_read_at_the_mild_end():
    axis = Axis("log", 0.005, 0.8)
    assert asked(axis, 6, 2) == {0.8: True}
    at_once = asked(axis, 6, 0)
    assert not any(at_once.values())
    assert axis.mild in at_once
    assert len(at_once) == 7
    assert axis.mild not in asked(axis, 6, 0.3)


def test_an_axis_of_whole_steps_is_never_cut_finer_than_a_step():
    answers = asked(Axis("linear", 10, 14, 1), 20, 0.4)
    assert answers == {14: False, 12: False, 11: True}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"scale": "cubic", "mild": 1, "harsh": 2}, "log, linear, got 'cubic'"),
        ({"scale": "log", "mild": 0, "harsh": 2}, "above 0 on a log scale, got 0 and 2"),
        ({"scale": "linear", "mild": 2, "harsh": 2}, "two different numbers, got 2 and 2"),
        ({"scale": "linear", "mild": math.nan, "harsh": 2}, "two different numbers"),
        ({"scale": "linear", "mild": 1, "harsh": 2, "step": 3}, "fit between mild and harsh, got 3"),
    ],
)
def test_an_axis_that_is_none_is_refused_with_what_was_given(settings, said):
    with pytest.raises(ValueError, match=said):
        Axis(**settings)
