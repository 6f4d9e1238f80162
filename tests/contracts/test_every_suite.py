"""Every suite composes into cells, and every data set and layout can be built: adding the file adds it here."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from watermark.config import CONFIG_DIR, build_named, config_names
from watermark.errors import UserError
from watermark.evaluation.suite import suite_cells


def cells_of(name):
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return suite_cells(OmegaConf.to_container(compose(f"suite/{name}").suite, resolve=True))


@pytest.mark.parametrize("name", config_names("suite"))
def test_every_suite_composes_into_distinct_cells(name):
    cells = cells_of(name)
    assert cells[0].name == "identity"
    names = [(cell.name, cell.strength) for cell in cells]
    assert len(names) == len(set(names)) > 1


def test_weights_that_are_not_there_are_named_before_anything_is_measured():
    build = {"_target_": "attacks.DiffusionRegeneration", "_partial_": True, "model": "nowhere.safetensors"}
    with pytest.raises(UserError, match=r"suite\.mine: expected denoiser weights .* at nowhere.safetensors"):
        suite_cells({"mine": {"build": build, "sweep": {"step": [60]}}})


def test_the_default_searches_few_attacks_in_about_six_readings_each():
    defaults = OmegaConf.to_container(OmegaConf.load(CONFIG_DIR / "evaluate.yaml"))["defaults"]
    assert {"suite": "breaking"} in defaults
    searched = [cell for cell in cells_of("breaking") if cell.attack is not None]
    assert {"jpeg", "gaussian_blur", "gaussian_noise", "crop"} <= {cell.name for cell in searched}
    assert all(cell.search is not None for cell in searched)
    assert sum(cell.search.readings for cell in searched) <= 42  # the main job has four minutes


def test_the_quick_ladder_covers_the_everyday_attacks_in_few_cells():
    cells = cells_of("quick")
    everyday = {"jpeg", "crop", "resize", "rotation", "gaussian_noise", "gaussian_blur", "brightness", "screenshot"}
    assert everyday | {"denoise_resample"} <= {cell.name for cell in cells}
    assert len(cells) <= 20


def test_the_smoke_suite_runs_on_a_small_picture():
    images = torch.rand(1, 3, 96, 112, generator=torch.Generator().manual_seed(0))
    for cell in cells_of("smoke"):
        if cell.attack is not None:
            assert cell.attack(images).shape[:2] == (1, 3)


@pytest.mark.parametrize("name", config_names("layout"))
def test_every_layout_has_room_for_what_it_names(name):
    layout = build_named("layout", name)
    if name != "l8":  # for peers that carry 32 bits
        assert layout.content_bits >= 40
        assert layout.provider_bits >= 12
    assert layout.total_bits == (72 if name == "l64" else int(name[1:]))  # its check grew from 8 bits to 16
    assert layout.total_bits <= 1024


@pytest.mark.parametrize("path", sorted((CONFIG_DIR / "attack").rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_attack_file_is_readable_and_sweeps_one_parameter(path):
    config = OmegaConf.to_container(OmegaConf.load(path))
    assert {"build", "sweep"} <= set(config)
    assert len(config["sweep"]) == 1
