"""What every attack of the configuration promises, at every rung of its ladder."""

import inspect
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
import torch
from attack_files import CONFIGS, attack_config, build_attack, every_rung
from hydra import compose, initialize_config_dir
from hydra.utils import get_object, instantiate

import attacks
from attacks.base import Family
from attacks.contact_sheet import psnr
from attacks.functional.codec import from_pillow, to_pillow

RUNGS = every_rung()
NAMES = sorted({name for name, _, _ in RUNGS})


def seeded(count: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(100 + i) for i in range(count)]


@pytest.mark.parametrize(("name", "parameter", "value"), RUNGS)
def test_attack_keeps_the_image_contract(name, parameter, value, photos):
    attack = build_attack(name, parameter, value)
    before = photos.clone()
    once, again = attack(photos, seeded(3)), attack(photos, seeded(3))
    assert torch.equal(photos, before), "written in place"
    assert once.data_ptr() != photos.data_ptr(), "the input handed back"
    assert torch.equal(once, again), "one seed, two results"
    assert once.shape[:2] == (3, 3)
    assert once.dtype == photos.dtype
    assert once.amin() >= 0
    assert once.amax() <= 1
    assert attack.geometric or once.shape == photos.shape
    assert attack.strength == value


@pytest.mark.parametrize("name", NAMES)
def test_attack_on_an_image_does_not_depend_on_its_batch(name, photos):
    for parameter, values in attack_config(name).sweep.items():
        attack = build_attack(name, parameter, values[-1])
        together = attack(photos, seeded(3))
        alone = attack(photos[2:], seeded(3)[2:])
        # a codec may round a value that differs in its last bit to another level: rare, hence the mean
        assert (together[2] - alone[0]).abs().mean() < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_mildest_value_is_the_exact_identity(name, photos):
    (parameter,) = attack_config(name).sweep
    attack = build_attack(name, parameter, attack_config(name).sweep[parameter][0])
    assert not hasattr(attack, "identity"), "the strength that changes nothing is called neutral"
    if attack.neutral is None:
        pytest.skip("has no strength that changes nothing")
    nothing = build_attack(name, parameter, attack.neutral)
    assert torch.equal(nothing(photos, seeded(3)), photos)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("flip", "flip_vertical", "grayscale")])
def test_attack_changes_the_picture_at_its_last_rung(name, photos):
    (parameter,) = attack_config(name).sweep
    attack = build_attack(name, parameter, attack_config(name).sweep[parameter][-1])
    attacked = attack(photos, seeded(3))
    if name == "identity":
        assert torch.equal(attacked, photos)
    else:
        assert attacked.shape != photos.shape or (attacked - photos).abs().mean() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_differentiable_attacks_pass_gradients_and_only_those(name, photos):
    (parameter,) = attack_config(name).sweep
    attack = build_attack(name, parameter, attack_config(name).sweep[parameter][-1])
    images = photos.clone().requires_grad_(True)
    attacked = attack(images, seeded(3))
    if not attacked.requires_grad:
        assert not attack.differentiable
        return
    (slope,) = torch.autograd.grad((attacked * torch.linspace(0, 1, attacked.shape[-1])).sum(), images)
    if not attack.differentiable:  # rounding stops it: what came through would train against a fiction
        assert not slope.any()
        return
    assert torch.isfinite(slope).all()
    assert slope.abs().amax((1, 2, 3)).min() > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_hard_side_of_the_ladder_costs_more(name, photo):
    """``harder`` says where the ladder goes: the farther, the lower the PSNR. One attack's luck is allowed for."""
    (parameter,) = attack_config(name).sweep
    values = attack_config(name).sweep[parameter]
    attack = build_attack(name, parameter, values[0])
    if attack.geometric or len(values) < 2:
        pytest.skip("PSNR says nothing, or there is one rung")
    zero = attack.neutral if attack.harder == "away" else 0
    sides = [[v for v in values if v >= zero], [v for v in values if v < zero]]
    for side in sides:
        mild_first = sorted(side, key=lambda value: abs(value - zero), reverse=attack.harder == "lower")
        costs = [psnr(photo, build_attack(name, parameter, value)(photo, seeded(1))) for value in mild_first]
        assert all(later <= earlier + 1.0 for earlier, later in pairwise(costs)), costs
        assert len(costs) < 2 or costs[-1] < costs[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_pillow_picture_is_attacked_like_a_tensor(name, photos):
    (parameter,) = attack_config(name).sweep
    attack = build_attack(name, parameter, attack_config(name).sweep[parameter][0])
    picture = to_pillow(photos[:1])[0]
    expected = attack(from_pillow([picture], photos), torch.Generator().manual_seed(5))
    assert np.array_equal(attack.picture(picture.convert("RGBA"), seed=5), to_pillow(expected)[0])


def test_every_public_class_has_a_configuration_or_a_reason():
    """A name that can be imported can also be named in a suite; the rest trains, or needs somebody's model."""
    built = {get_object(attack_config(name).build._target_) for name in NAMES}
    public = {getattr(attacks, name) for name in attacks.__all__}
    without = {attacks.Attack, attacks.SoftJpeg, attacks.SoftScreenCamera}
    assert public - built == without


@pytest.mark.parametrize("name", NAMES)
def test_class_facts_are_stated(name):
    kind = get_object(attack_config(name).build._target_)
    assert kind.harder in ("higher", "lower", "away")
    assert kind.unit
    assert kind.reproduces
    assert kind.version >= 1
    assert kind.family in set(get_args(Family)) - {"other"}  # a mean over families counts it somewhere
    (parameter,) = attack_config(name).sweep
    assert next(iter(inspect.signature(kind).parameters)) == parameter  # so that a chain can hand its strength over


@pytest.mark.parametrize("name", NAMES)
def test_odd_sizes_and_single_precision_are_fine(name):
    (parameter,) = attack_config(name).sweep
    images = torch.rand(1, 3, 61, 47, generator=torch.Generator().manual_seed(1))
    attacked = build_attack(name, parameter, attack_config(name).sweep[parameter][0])(images)
    assert attacked.dtype == torch.float32
    assert torch.isfinite(attacked).all()


def test_wrong_input_is_refused_in_one_line(photos):
    attack = build_attack("brightness", "factor", 1.2)
    for wrong in (photos[0], photos * 255, photos.to(torch.uint8), photos.new_full((1, 3, 8, 8), float("nan"))):
        with pytest.raises(ValueError, match="expected"):
            attack(wrong)
    with pytest.raises(ValueError, match="one generator per image"):
        attack(photos, seeded(2))


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("jpeg", "quality", 0),
        ("crop", "area", 0),
        ("rotation", "degrees", 400),
        ("gaussian_noise", "sigma", -1),
        ("reshare", "long_edge", 1000),
        ("median", "size", 4),
        ("hue", "turn", 1),
        ("regeneration", "noise", -1),
    ],
)
def test_impossible_strengths_are_refused_with_what_was_given(name, parameter, value):
    with pytest.raises(Exception, match=str(value)):
        build_attack(name, parameter, value)


def suite(name: str) -> dict:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose(overrides=[f"+suite={name}"]).suite


@pytest.mark.parametrize("path", sorted((CONFIGS / "suite").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_suite_composes_and_builds(path):
    entries = suite(path.stem)
    assert "identity" in entries
    for entry in entries.values():
        build = instantiate(entry.build)
        for parameter, values in entry.sweep.items():
            for value in values:
                build(**{parameter: value})


def test_quick_suites_stay_small():
    assert sum(len(v) for entry in suite("quick").values() for v in entry.sweep.values()) <= 22
    assert sum(len(v) for entry in suite("smoke").values() for v in entry.sweep.values()) == 5
