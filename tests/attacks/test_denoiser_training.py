"""A denoiser's training learns, stops at any moment and ends with the same weights."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from attacks.autoencoder import Autoencoder
from attacks.diffusion.unet import load_unet
from attacks.training import denoiser
from attacks.training.denoiser import JOURNAL, LAST, WEIGHTS, DenoiserTraining
from attacks.training.examples import Examples, draw_crops, photo_files
from attacks.training.precision import half

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six smooth pictures that differ."""
    where = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for i in range(6):
        small = Image.fromarray(rng.integers(0, 255, (4, 5, 3), dtype=np.uint8))
        small.resize((60, 48), Image.Resampling.BICUBIC).save(where / f"{i}.png")
    return where


def recipe(**changes) -> DenoiserTraining:
    examples = Examples(count=12, side=40, held=6)
    small = DenoiserTraining(examples, 8, 2, 1, 2, None, (0.05, 0.5), 24, 6, 4, warmup=1, half=False)
    return dataclasses.replace(small, **changes)


def test_a_stopped_training_ends_with_the_same_weights(folder, tmp_path):
    class CutError(Exception):
        pass

    whole = recipe().run(folder, folder, tmp_path / "whole", 3, CPU)
    often = recipe(save_seconds=0.0)
    drawn = []

    def cut(*arguments):
        drawn.append(1)
        if len(drawn) == 4:
            raise CutError
        return original(*arguments)

    original = denoiser._Run._draw
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(denoiser._Run, "_draw", cut)
        with pytest.raises(CutError):
            often.run(folder, folder, tmp_path / "cut", 3, CPU)
    assert torch.load(tmp_path / "cut" / LAST, weights_only=True)["step"] == 3
    parts = often.run(folder, folder, tmp_path / "cut", 3, CPU)
    first, second = load_file(whole), load_file(parts)  # the header's order is safetensors' own
    assert first.keys() == second.keys()
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert whole.name == WEIGHTS


def test_the_held_out_loss_falls_below_that_of_knowing_nothing(folder, tmp_path):
    recipe(steps=60, validate_every=30, decay=0.9, rate=5e-3).run(folder, folder, tmp_path, 1, CPU)
    notes = [json.loads(line) for line in (tmp_path / JOURNAL).read_text().splitlines()]
    assert [note["step"] for note in notes] == [30, 60]
    assert notes[-1]["held"] < 0.9  # 1 is the best that can be done pixel by pixel


def test_the_average_keeps_a_tenth_of_the_start_after_one_step(folder, tmp_path):
    recipe(steps=1).run(folder, folder, tmp_path, 3, CPU)
    state = torch.load(tmp_path / LAST, weights_only=True)
    torch.manual_seed(3)
    start = recipe().build(torch.load(next(tmp_path.glob("train*.pt")), weights_only=True)).state_dict()
    for name, trained in state["model"].items():
        torch.testing.assert_close(state["average"][f"module.{name}"], start[name].lerp(trained, 0.9))
    assert not torch.equal(start["last.weight"], state["model"]["last.weight"])


def test_a_coders_codes_are_denoised_where_there_is_a_coder(folder, tmp_path):
    torch.manual_seed(0)
    coder = Autoencoder(8, 4).eval()
    path = recipe(coder=coder, fold=1, crop=4, steps=2).run(folder, folder, tmp_path, 1, CPU)
    assert load_unet(path).sizes["channels"] == 4


def test_other_settings_draw_other_examples_in_the_same_folder(folder, tmp_path):
    recipe(steps=0).run(folder, folder, tmp_path, 1, CPU)
    recipe(steps=0, examples=Examples(count=5, side=40, held=6)).run(folder, folder, tmp_path, 1, CPU)
    kept = {len(torch.load(path, weights_only=True)) for path in tmp_path.glob("train*.pt")}
    assert kept == {12, 5}


def test_another_seed_does_not_go_on(folder, tmp_path):
    recipe(steps=1).run(folder, folder, tmp_path, 1, CPU)
    with pytest.raises(ValueError, match="seed 1, got seed 2"):
        recipe(steps=1).run(folder, folder, tmp_path, 2, CPU)


def test_what_cannot_be_trained_on_is_said(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="found none"):
        photo_files(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"expected a folder of pictures, got .*absent"):
        photo_files(tmp_path / "absent")
    with pytest.raises(ValueError, match="100 px"):
        draw_crops(photo_files(folder), 2, 100, 0)


def test_crops_are_the_same_for_a_seed_and_all_photographs_take_part(folder):
    paths = photo_files(folder)
    first, again, other = (draw_crops(paths, 12, 40, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len({crop.float().mean().item() for crop in first}) > len(paths)


@pytest.mark.parametrize(("has", "dtype"), [({"avx512_bf16": True}, torch.bfloat16), ({"avx2": True}, torch.float32)])
def test_a_processor_that_would_imitate_bfloat16_is_spared(has, dtype, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)
    layer = torch.nn.Linear(2, 2)
    with half(torch.device("cpu")):
        assert layer(torch.ones(1, 2)).dtype == dtype
    with half(torch.device("cpu"), wanted=False):
        assert layer(torch.ones(1, 2)).dtype == torch.float32
