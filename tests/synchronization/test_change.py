"""What is said of a change is what happened to the picture."""

import math

import pytest
import torch

from watermark.synchronization.change import change
from watermark.synchronization.geometry import Alignment

TURN = math.radians(30)
TURNED = [[math.cos(TURN), -math.sin(TURN)], [math.sin(TURN), math.cos(TURN)]]
LEFT = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])


def said(now_from_before):
    """The words for ``x_now = matrix @ x_before``; pictures are large, so that nothing is cut."""
    matrix = torch.as_tensor(now_from_before, dtype=torch.float64)
    plane = torch.zeros(1, 2, dtype=torch.float64)
    before = Alignment(torch.eye(2, dtype=torch.float64)[None], plane, torch.ones(1))
    now = Alignment(torch.linalg.inv(matrix)[None], plane, torch.ones(1))
    return change(before, now, (100, 100), (900, 900))[0].words()


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        ([[1.0, 0.0], [0.0, 1.0]], ""),
        ([[1.25, 0.0], [0.0, 0.8]], "stretched 1.56 times in width"),
        ([[0.8, 0.0], [0.0, 1.25]], "stretched 1.56 times in height"),
        ([[-1.25, 0.0], [0.0, 0.8]], "mirrored, stretched 1.56 times in width"),
        (torch.diag(torch.tensor([1.25, 0.8])) @ LEFT, "turned 90.0 degrees left, stretched 1.56 times in width"),
        (
            torch.diag(torch.tensor([1.2, 1.0])) @ torch.tensor(TURNED),
            "turned 30.0 degrees right, scaled to 1.10, stretched 1.20 times in width",
        ),
        ([[1.0, 0.2], [0.2, 1.0]], "scaled to 0.98, stretched 1.50 times on the slant"),
    ],
)
def test_the_words_say_what_was_done_and_in_which_direction(matrix, words):
    assert said(matrix) == words
