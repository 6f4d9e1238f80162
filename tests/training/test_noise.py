from functools import partial

import pytest
import torch

from attacks.diffusion.pixel import PixelDiffusion
from attacks.noise import GaussianNoise
from watermark.training.curriculum import Curriculum
from watermark.training.layers import JpegLayer
from watermark.training.noise import NoiseLayer, NoisePool, strength


def pool(**changes):
    layers = {
        "clean": NoiseLayer(()),
        "noise": NoiseLayer((strength(GaussianNoise, "sigma", 0.1, 0.2),), weight=3.0),
        "late": NoiseLayer((strength(GaussianNoise, "sigma", 0.4, 0.5),), gate=0.9),
    }
    return NoisePool(layers, **changes)


def test_gated_layers_wait_for_skill():
    assert pool().open_layers(0.6) == ["clean", "noise"]
    assert "late" in pool().open_layers(0.95)


def test_a_pool_without_an_open_layer_says_so():
    with pytest.raises(ValueError, match="no noise layer is open"):
        NoisePool({"late": NoiseLayer((), gate=0.9)}).open_layers(0.5)


def test_of_several_candidates_the_one_with_the_highest_loss_is_met():
    hard = pool(worst_of=8)
    hard.learn(["clean", "noise"], [0.1, 2.0])
    rng = torch.Generator().manual_seed(0)
    chosen = [hard.choose(0.6, rng) for _ in range(200)]
    assert chosen.count("noise") > 195
    easy = pool(worst_of=1)
    easy.learn(["clean", "noise"], [0.1, 2.0])
    chosen = [easy.choose(0.6, rng) for _ in range(400)]
    assert 260 < chosen.count("noise") < 340  # three times as likely by weight


def test_noise_depends_on_the_generator_alone():
    images = torch.full((4, 3, 16, 16), 0.5)
    first = pool()(images, 0.6, torch.Generator().manual_seed(3))
    second = pool()(images, 0.6, torch.Generator().manual_seed(3))
    assert torch.equal(first[0], second[0])
    assert first[1] == second[1]
    assert first[0].shape == images.shape


def test_strengths_stay_in_their_range():
    made = [strength(GaussianNoise, "sigma", 0.05, 0.2, log=True)(draw).attack.strength for draw in (0.0, 0.5, 1.0)]
    assert made == pytest.approx([0.05, 0.1, 0.2])


KINDS = {
    "noise": {"build": GaussianNoise, "parameter": "sigma"},
    "jpeg": {"build": JpegLayer, "parameter": "quality", "whole": 1},
}


def test_a_table_of_ranges_is_a_pool():
    table = {
        "clean": {"weight": 0.5, "steps": []},
        "both": {"weight": 2, "gate": 0.9, "steps": [["noise", 0.05, 0.2, "log"], ["jpeg", 30, 90]]},
    }
    made = NoisePool.of_ranges(KINDS, table, group=3, worst_of=2)
    assert (made.group, made.worst_of) == (3, 2)
    assert made.open_layers(0.5) == ["clean"]
    assert made.layers["both"].weight == 2
    assert NoisePool.of_ranges(KINDS, {"one": {"weight": 1, "steps": []}}).choose(0.5, torch.Generator()) == "one"
    first, second = made.layers["both"].steps
    assert first(0.5).attack.strength == pytest.approx(0.1)
    assert second(0.501).codec.strength == 60


@pytest.mark.parametrize("step", [["nois", 0, 1], ["noise", 0], ["noise", 0, 1, "logarithm"]])
def test_a_step_that_is_none_is_told_with_what_there_is(step):
    with pytest.raises(ValueError, match=r"noise layer odd: expected \[kind, low, high\].*noise, jpeg; got"):
        NoisePool.of_ranges(KINDS, {"odd": {"weight": 1, "steps": [step]}})


def test_weights_that_are_not_there_are_missed_before_the_first_step(tmp_path):
    kinds = {"pixels": {"build": partial(PixelDiffusion, model=str(tmp_path / "none.safetensors")), "parameter": "t"}}
    with pytest.raises(FileNotFoundError, match=r"^noise layer late: expected denoiser weights .*none\.safetensors"):
        NoisePool.of_ranges(kinds, {"late": {"weight": 1, "gate": 0.9, "steps": [["pixels", 0.1, 0.2]]}})


def test_quality_rises_only_with_skill():
    curriculum = Curriculum(first=(38, 38), last=(46, 46), gate=0.8, ramp=10)
    for _ in range(30):
        curriculum.learn(0.6)
    assert curriculum.progress == 0
    for _ in range(200):
        curriculum.learn(0.95)
    assert curriculum.progress == 1
    assert torch.equal(curriculum.psnr(2, torch.Generator()), torch.tensor([46.0, 46.0]))
