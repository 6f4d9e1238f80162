"""The GPU gives the picture that the CPU gives, up to the stated tolerance."""

import pytest
import torch
from conftest import attack_config, build_attack, every_rung

NAMES = sorted({name for name, _, _ in every_rung()})


@pytest.mark.gpu
@pytest.mark.parametrize("name", NAMES)
def test_gpu_agrees_with_the_cpu(name, photos):
    """Mean difference below a quarter of an 8-bit level; single values may round to another level or quantiser step."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    if name == "embedding_attack":
        pytest.skip("signs of gradients near zero differ between devices")
    (parameter,) = attack_config(name).sweep
    attack = build_attack(name, parameter, attack_config(name).sweep[parameter][-1])
    here, there = attack(photos), attack(photos.cuda())
    assert there.device.type == "cuda"
    assert (here - there.cpu()).abs().mean() < 0.25 / 255
