"""Every attack with a strength has a continuous axis, whose harsh end does more damage than its mild one."""

import pytest
import torch
from attack_files import CONFIGS, attack_config
from omegaconf import OmegaConf

from watermark.evaluation.suite import suite_cells

NO_AXIS = {
    "identity": "nothing happens",
    "flip": "on or off",
    "flip_vertical": "on or off",
    "negative": "on or off: half a negative is a grey picture",
    "channel_swap": "one of three orders",
    "reshare": "a table of five size limits, each with its quality",
    "reshare_x2": "the same",
    "reshare_x3": "the same",
    "learned_codec": "the network's quality is its strength",
}
FILES = sorted((CONFIGS / "attack").rglob("*.yaml"))
HERE = [path for path in FILES if path.parent.name == "attack" and path.stem not in NO_AXIS]
SLOW = ("diffusion", "embedding", "regeneration")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_attack_with_a_strength_has_an_axis(path):
    assert ("axis" in OmegaConf.load(path)) == (path.stem not in NO_AXIS)


@pytest.mark.parametrize("path", HERE, ids=lambda path: path.stem)
def test_every_axis_can_be_searched_and_reaches_beyond_the_rungs(path):
    entry = OmegaConf.to_container(attack_config(path.stem), resolve=True)
    (_, cell) = suite_cells({path.stem: entry | {"search": 6}})  # builds both ends
    axis, (rungs,) = cell.search.axis, entry["sweep"].values()
    rungs = [rung for rung in rungs if rung != 90]  # a quarter turn is no harder than an eighth
    side = [rung for rung in rungs if rung != cell.attack.neutral and (rung > axis.mild) == (axis.harsh > axis.mild)]
    for rung in side:
        cell.at(rung)
        assert min(axis.mild, axis.harsh) <= rung <= max(axis.mild, axis.harsh)
    assert side


def test_the_axis_of_a_chain_goes_where_the_step_that_takes_the_strength_is_harder():
    assert {suite_cells({n: attack_config(n)})[1].attack.harder for n in ("chain_omniseal", "chain_videoseal")} == {
        "lower"
    }


@pytest.mark.parametrize("path", [p for p in HERE if not p.stem.startswith(SLOW)], ids=lambda path: path.stem)
def test_damage_grows_along_the_axis(path, photos):
    entry = OmegaConf.to_container(attack_config(path.stem), resolve=True)
    (_, cell) = suite_cells({path.stem: entry | {"search": 6}})
    if cell.attack.moves(*photos.shape[-2:]):
        pytest.skip("pixels move: no damage in dB")
    photo, errors = photos[2:], []
    for level in (0, 0.5, 1):
        attack = cell.at(cell.search.axis.strength(level)).attack
        attacked = attack(photo, torch.Generator().manual_seed(0))
        errors.append(float((attacked - photo).square().mean()))
    assert errors == sorted(errors)
    assert errors[0] < errors[2] / 2
