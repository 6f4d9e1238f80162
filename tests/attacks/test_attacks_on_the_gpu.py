"""The GPU gives the picture that the CPU gives, up to the stated tolerance.

No GPU was at hand when this was written; what stands in for one everywhere is ``test_fast_paths.py``, which runs every
attack through the torch code that a GPU runs.
"""

import pytest
import torch
from attack_files import attack_config, build_attack, every_rung

from attacks.adversarial import EmbeddingAttack
from attacks.bench import run
from attacks.regeneration import own_coder

NAMES = sorted({name for name, _, _ in every_rung() if not name.startswith("embedding_attack")})

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


@pytest.mark.parametrize("name", NAMES)
def test_gpu_agrees_with_the_cpu(name, photos):
    """Mean difference below a quarter of an 8-bit level; single values may round to another level or quantiser step."""
    (parameter,) = attack_config(name).sweep
    attack = build_attack(name, parameter, attack_config(name).sweep[parameter][-1])
    here, there = attack(photos), attack(photos.cuda())
    assert there.device.type == "cuda"
    assert (here - there.cpu()).abs().mean() < 0.25 / 255


def test_gradient_attacks_get_as_far_on_the_gpu(photos):
    """Signs of slopes near zero differ between devices, so pictures do; how far the code is driven does not."""
    encoder = own_coder("main")
    reach = []
    for images in (photos, photos.cuda()):
        attacked = EmbeddingAttack(6, encoder, steps=10, pace=0.3)(images)
        assert (attacked - images).abs().max() <= 6 / 255 + 1e-6
        reach.append(float((encoder.encode(attacked) - encoder.encode(images)).square().mean()))
    assert reach[1] == pytest.approx(reach[0], rel=0.03)


def test_benchmark_fills_in_the_gpu_columns():
    rows = list(run(size=256, batch=2, repeats=1, only=["blur"]))
    assert rows
    assert all(row.gpu_ms and row.gpu_ratio for row in rows)
