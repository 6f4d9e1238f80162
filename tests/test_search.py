"""What ``search="quick"`` leaves out: pictures without a sign of a mark, and nothing else."""

import argparse
from dataclasses import asdict, fields

import pytest
import torch
from PIL import Image
from skimage import data

from watermark import Keyring, Watermarker
from watermark.cli import main
from watermark.cli.marking import add_search_option
from watermark.evaluation.config import EvaluateConfig
from watermark.pixels import to_tensor
from watermark.schemes.lattice import scheme
from watermark.service.settings import Settings
from watermark.synchronization import synchronizer
from watermark.transforms.color import LUMA
from watermark.transforms.resample import resize

DOORS = {word: {"search": word, "device": "cpu"} for word in ("quick", "thorough")}


def picture():
    return resize(to_tensor(Image.fromarray(data.astronaut()[:, :448])), (288, 252)).clamp(0, 1)


@pytest.fixture(scope="module", params=["tile_spread", "learned"])
def markers(request):
    return {word: Watermarker.load(request.param, key="quick", **asked) for word, asked in DOORS.items()}


def test_quick_is_the_default_of_every_door():
    options = argparse.ArgumentParser()
    add_search_option(options)
    assert options.parse_args([]).search == "quick"
    assert EvaluateConfig().search == "quick"
    assert {field.name: field.default for field in fields(Settings)}["search"] == "quick"
    assert Watermarker.load("tile_spread", key="k").scheme.search == "quick"
    assert Keyring.load("tile_spread", {1: "k"}, sync_key="s").readers[0].scheme.search == "quick"


def test_another_word_is_one_line(capsys):
    for load in (
        lambda: Watermarker.load("dwt_dct", key="k", search="fast"),
        lambda: Keyring.load("dwt_dct", {1: "k"}, search="fast"),
    ):
        with pytest.raises(ValueError, match=r"^search must be one of quick, thorough, got 'fast'$"):
            load()
    with pytest.raises(SystemExit):
        main(["detect", "a.png", "--search", "fast"])
    assert "--search: expected one of quick, thorough, got 'fast'" in capsys.readouterr().err.splitlines()[-1]


def test_a_mark_that_moved_is_read_alike(markers):
    marked = markers["quick"].embed(picture(), 7, 123)
    moved = resize(marked[..., 40:, :], (230, 240)).clamp(0, 1)
    quick, thorough = (markers[word].detect(moved)[0] for word in DOORS)
    assert quick.content_id == 123
    assert asdict(quick) == asdict(thorough)


@pytest.mark.parametrize("plane", ["luma", "colour"])
def test_a_mark_that_only_one_plane_still_carries_is_found(markers, plane):
    """JPEG takes what is in colour, texture drowns what is in luma: a sum of both would be fainter than the one."""
    marked, weights = markers["quick"].embed(picture(), 7, 123), torch.tensor(LUMA)[:, None, None]
    in_luma = ((marked - picture()) * weights).sum(1, keepdim=True)
    carried = picture() + in_luma if plane == "luma" else marked - in_luma
    moved = resize(carried[..., 20:, 10:], (250, 220)).clamp(0, 1)
    assert markers["quick"].detect(moved)[0].content_id == 123


def test_each_picture_of_a_batch_is_given_up_on_its_own_and_thorough_reads_on(markers):
    pictures = torch.cat([markers["quick"].embed(picture(), 7, 123), picture()])
    moved = resize(pictures, (230, 202)).clamp(0, 1)
    assert [found.content_id for found in markers["quick"].detect(moved)] == [123, None]
    quick, thorough = (markers[word].read(moved[1:]).readings.item() for word in DOORS)
    assert quick <= 3 < thorough  # one bent, one upside down


def test_of_a_small_piece_quick_tries_the_poses_at_any_shift_too(markers, monkeypatch):
    monkeypatch.setattr(synchronizer.Synchronizer, "search", None)
    monkeypatch.setattr(scheme, "promising", lambda _, luma, *__: torch.zeros(len(luma), dtype=torch.bool))
    piece = markers["quick"].embed(picture(), 7, 123)[..., 61:197, 53:190]
    assert markers["quick"].detect(piece)[0].content_id == 123


def test_quick_never_looks_everywhere_for_what_is_not_there(markers, monkeypatch):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr(synchronizer.Synchronizer, "search", never)
    assert not markers["quick"].detect(picture())[0].is_marked
    with pytest.raises(AssertionError):
        markers["thorough"].detect(picture())
