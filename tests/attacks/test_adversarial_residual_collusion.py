"""Gradient attacks stay in their ball and reach their end; forgeries F1 to F6 do what the protocol describes."""

import pytest
import torch
from attack_files import CONFIGS
from hydra.utils import instantiate
from omegaconf import OmegaConf

from attacks.adversarial import EmbeddingAttack, ProjectedGradient
from attacks.collusion import collude, overwrite
from attacks.functional.codec import to_pillow
from attacks.regeneration import own_coder
from attacks.residual import AddResidual, average_residual, residual, transplant
from attacks.surrogate import load_surrogate, train_surrogate
from attacks.training.surrogate import main as train_from_folders

PATTERN = torch.randn(1, 3, 72, 96, generator=torch.Generator().manual_seed(9)).sign()


def correlate(images: torch.Tensor) -> torch.Tensor:
    """A differentiable detector of ``PATTERN``: one score per image."""
    return (images * PATTERN).mean((1, 2, 3)) * 255


def mark(images: torch.Tensor, amplitude: float = 3 / 255) -> torch.Tensor:
    return (images + amplitude * PATTERN).clamp(0, 1)


@pytest.fixture
def middle(photos):
    return photos * 0.8 + 0.1


def test_white_box_removal_lowers_the_score_within_its_ball(middle):
    marked = mark(middle)
    attacked = ProjectedGradient(4, correlate, steps=40, pace=0.1)(marked)
    assert (attacked - marked).abs().max() <= 4 / 255 + 1e-6
    assert (correlate(attacked) < correlate(marked) - 3).all()


def test_the_same_forges_on_clean_pictures(middle):
    forged = ProjectedGradient(4, correlate, steps=40, pace=0.1, raises=True)(middle)
    assert (correlate(forged) > correlate(middle) + 3).all()


def test_gradient_attacks_work_where_gradients_are_off(middle):
    with torch.no_grad():
        attacked = ProjectedGradient(2, correlate, steps=3)(middle)
    assert not attacked.requires_grad
    assert (attacked != middle).any()


def test_a_missing_score_is_refused(middle):
    with pytest.raises(ValueError, match="score"):
        ProjectedGradient(2, None)(middle)


def test_embedding_attack_moves_the_code_further_than_noise_of_the_same_size(middle):
    encoder = own_coder("main")
    attacked = EmbeddingAttack(4, encoder, steps=10)(middle)
    noise = torch.randn(middle.shape, generator=torch.Generator().manual_seed(1)).sign() * 4 / 255
    before = encoder.encode(middle)
    distance = (encoder.encode(attacked) - before).square().mean()
    assert distance > 1.5 * (encoder.encode((middle + noise).clamp(0, 1)) - before).square().mean()


def test_surrogate_learns_to_tell_marked_from_unmarked(middle):
    marked = mark(middle, 8 / 255)
    surrogate = train_surrogate(marked, middle, steps=60, batch=6, crop=64)
    assert surrogate(marked).min() > surrogate(middle).max()
    fooled = ProjectedGradient(8, surrogate, steps=20, pace=0.1)(marked)
    assert (surrogate(fooled) < surrogate(marked)).all()


def test_a_surrogate_of_two_folders_is_an_attack_of_the_configuration(middle, tmp_path, capsys):
    for name, kind in (("marked", mark(middle, 8 / 255)), ("unmarked", middle)):
        (tmp_path / name).mkdir()
        for i, picture in enumerate(to_pillow(torch.cat([kind, kind.flip(-1)]))):
            picture.save(tmp_path / name / f"{i}.png")
    file = tmp_path / "surrogate.safetensors"
    train_from_folders([str(tmp_path / "marked"), str(tmp_path / "unmarked"), "--output", str(file), "--steps", "60"])
    assert "2 of 2 marked ones are taken for marked, and 0 of 2 unmarked ones" in capsys.readouterr().out
    config = OmegaConf.load(CONFIGS / "attack" / "needs_model" / "surrogate.yaml")
    config.build.score.file, config.build.steps = str(file), 20
    attacked = instantiate(config.build)(epsilon=8)(mark(middle, 8 / 255))
    surrogate = load_surrogate(file)
    assert (surrogate(attacked) < surrogate(mark(middle, 8 / 255)) - 1).all()


def test_surrogates_need_pictures_of_both_kinds(middle, tmp_path):
    with pytest.raises(ValueError, match="both kinds"):
        train_surrogate(middle, middle[:0])
    with pytest.raises(FileNotFoundError, match="found no file"):
        load_surrogate(tmp_path / "none.safetensors")


def test_a_surrogate_without_its_folder_is_one_line(tmp_path, capsys):
    absent = tmp_path / "absent"
    with pytest.raises(SystemExit, match="2"):
        train_from_folders([str(absent), str(tmp_path), "--output", str(tmp_path / "out.safetensors")])
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"expected a folder of pictures, got {absent}")


def test_averaging_more_pictures_uncovers_a_common_mark(middle):
    generator = torch.Generator().manual_seed(2)
    noise = torch.rand(40, 1, 1, 1, generator=generator) * 0.5
    many = (middle.repeat(14, 1, 1, 1)[:40] * (0.5 + noise)).clamp(0.05, 0.95)
    found = [
        torch.nn.functional.cosine_similarity(average_residual(mark(many[:n])).flatten(), PATTERN.flatten(), 0)
        for n in (3, 40)
    ]
    assert found[1] > found[0]
    forged = AddResidual(1.0, average_residual(mark(many)))(middle)
    removed = AddResidual(-1.0, average_residual(mark(many)))(mark(middle))
    assert (correlate(forged) > correlate(middle) + 0.5).all()
    assert (correlate(removed) < correlate(mark(middle)) - 0.5).all()


def test_averages_against_unmarked_pictures_are_the_pattern_itself(middle):
    assert torch.allclose(average_residual(mark(middle), middle), 3 / 255 * PATTERN, atol=1e-6)


def test_copy_attack_carries_the_mark_to_another_picture(middle):
    forged = transplant(mark(middle[:1]), middle[1:2])
    assert correlate(forged) > correlate(middle[1:2]) + 0.3
    assert residual(middle).shape == middle.shape


def test_residuals_of_another_size_are_refused(middle):
    with pytest.raises(ValueError, match="pattern"):
        AddResidual(1.0, PATTERN[..., :50])(middle)


def test_overwriting_applies_the_marks_in_order_on_8_bit_pictures(middle):
    order = []

    def provider(name):
        return lambda images: (order.append(name), mark(images))[1]

    result = overwrite(middle, [provider("a"), provider("b")])
    assert order == ["a", "b"]
    assert torch.allclose(result * 255, (result * 255).round(), atol=1e-4)


def test_collusion_of_copies():
    copies = torch.rand(5, 2, 3, 40, 56, generator=torch.Generator().manual_seed(3))
    assert torch.equal(collude(copies, "mean"), copies.mean(0))
    assert torch.equal(collude(copies, "median"), copies.median(0).values)
    assert torch.equal(collude(copies, "minmax"), (copies.amin(0) + copies.amax(0)) / 2)
    mosaic = collude(copies, "mosaic")
    used = {
        next(i for i in range(5) if torch.equal(mosaic[..., y, x], copies[i, ..., y, x]))
        for y in (0, 20)
        for x in (0, 20, 40)
    }
    assert len(used) >= 3
    with pytest.raises(ValueError, match="how"):
        collude(copies, "vote")
