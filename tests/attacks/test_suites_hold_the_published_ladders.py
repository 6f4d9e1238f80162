"""The suites are what they say: the attacks of the protocol, and other benchmarks' strengths to the number."""

from pathlib import Path

import pytest
import torch
from attack_files import CONFIGS, build_attack
from hydra import compose, initialize_config_dir

import attacks

FAMILIES = [
    "jpeg jpeg_444",
    "webp",
    "reshare reshare_x2 reshare_x3",
    "screenshot screenshot_jpeg screenshot_crop",
    "screen_camera",
    "print_scan",
    "crop crop_center",
    "crop_resize",
    "resize resize_back",
    "aspect",
    "rotation rotation_small",
    "flip flip_vertical",
    "perspective shear",
    "translate pad remove_lines",
    "bending",
    "brightness",
    "contrast gamma",
    "hue saturation grayscale",
    "gaussian_noise",
    "gaussian_blur median",
    "erase overlay_text splice",
    "combined_geometric combined_photometric combined_degradation combined_all chain_videoseal",
    "denoise_resample regeneration regeneration_rinse2 regeneration_rinse4",
    "diffusion diffusion_rinse2 diffusion_rinse4 diffusion_pixel",
    "embedding_attack_short",
    "defocus_blur motion_blur",
    "impulse_noise shot_noise pixelate",
    "fog snow",
    "elastic",
    "look_warm look_faded look_noir negative channel_swap",
    "meme stripes",
]
QUARTERS = [0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]
KERNELS = [3, 5, 9, 13, 17]
SIDES = [0.32, 0.45, 0.55, 0.63, 0.71, 0.77, 0.84, 0.89, 0.95, 1]
PUBLISHED = {
    "standard": {
        "jpeg": [90, 70, 50, 30, 10],
        "jpeg_444": [90, 70, 50, 30, 10],
        "webp": [90, 75, 50, 30, 10],
        "reshare": [2048, 1600, 1280, 1080, 720],
        "reshare_x2": [2048, 1600, 1280, 1080, 720],
        "reshare_x3": [2048, 1600, 1280, 1080, 720],
        "screenshot": [1, 1.25, 0.8, 0.67, 0.5],
        "screenshot_jpeg": [1, 1.25, 0.8, 0.67, 0.5],
        "screenshot_crop": [0.1, 0, -0.01, -0.02, -0.04, -0.08],
        "screen_camera": [1, 2, 3, 4, 5],
        "print_scan": [300, 200, 150, 100, 75],
        "crop": [0.95, 0.9, 0.8, 0.7, 0.5],
        "crop_center": [0.1],
        "crop_resize": [0.95, 0.9, 0.8, 0.7, 0.5],
        "resize": [0.84, 0.71, 0.55, 0.45, 0.32, 1.5, 2],
        "aspect": [0.9, 1.1, 0.8, 1.2, 0.67],
        "rotation": [1, 3, 9, 18, 27, 36, 45, 90],
        "rotation_small": [-2, -1, -0.5, -0.25, 0.25, 0.5, 1, 2],
        "perspective": [0.1, 0.2, 0.3, 0.5, 0.8],
        "shear": [0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8],
        "translate": [1, 3, 7, 17, 32],
        "pad": [1, 3, 7, 17, 32],
        "remove_lines": [1, 3, 7, 17, 32],
        "brightness": [1.2, 1.4, 1.6, 1.8, 2.0, 0.75, 0.5, 0.25],
        "contrast": [1.2, 1.4, 1.6, 1.8, 2.0, 0.5],
        "gamma": [0.5, 0.67, 0.8, 1.25, 1.5, 2],
        "hue": [-0.25, -0.1, 0.1, 0.25, 0.5],
        "saturation": [0, 0.25, 0.5, 1.5, 2],
        "gaussian_noise": [0.02, 0.04, 0.06, 0.08, 0.1],
        "gaussian_blur": [1, 3, 5, 7, 9],
        "median": [3, 5, 9, 13, 17],
        "erase": [0.05, 0.1, 0.15, 0.2, 0.25],
        "overlay_text": [0.08, 0.16, 0.24, 0.4, 0.75],
        "splice": [0.5, 0.2, 0.1, 0.05],
        "combined_geometric": [0.05, 0.15, 0.25, 0.35, 0.45],
        "combined_all": [0.04, 0.08, 0.12, 0.16, 0.2],
        "chain_videoseal": [80, 60, 40],
        "diffusion": [40, 80, 120, 160, 200],
        "diffusion_pixel": [0.05, 0.075, 0.1, 0.15, 0.2],
        "embedding_attack_short": [2, 4, 6, 8, 12],
    },
    "waves": {
        "rotation": [1, 3, 9, 18, 27, 36, 45],
        "crop_resize": [0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5],
        "erase": [0.05, 0.1, 0.15, 0.2, 0.25],
        "brightness": [1.2, 1.4, 1.6, 1.8, 2.0],
        "contrast": [1.2, 1.4, 1.6, 1.8, 2.0],
        "gaussian_blur": [4, 8, 12, 16, 20],
        "gaussian_noise": [0.02, 0.04, 0.06, 0.08, 0.1],
        "jpeg": [90, 70, 50, 30, 10],
        "combined_geometric": [0.05, 0.15, 0.25, 0.35, 0.45],
        "combined_photometric": [0.05, 0.15, 0.25, 0.35, 0.45],
        "combined_degradation": [0.02, 0.05, 0.15, 0.25, 0.35, 0.45],
        "combined_all": [0.04, 0.08, 0.12, 0.16, 0.2],
        "diffusion": [40, 80, 120, 160, 200],
        "diffusion_rinse2": [10, 20, 40, 60, 80, 100],
        "diffusion_rinse4": [1, 2, 5, 10, 20, 30, 40, 50],
        "embedding_attack": [2, 4, 6, 8],
    },
    "wbench": {
        "brightness": [1.2, 1.4, 1.6, 1.8, 2.0],
        "contrast": [1.2, 1.4, 1.6, 1.8, 2.0],
        "gaussian_blur": [1, 3, 5, 7, 9],
        "gaussian_noise": [0.02, 0.04, 0.06, 0.08, 0.1],
        "jpeg": [70, 55, 40, 25, 10],
        "diffusion": [60, 80, 100, 120, 140, 160, 180, 200, 220, 240],
    },
    "videoseal": {
        "flip": [1],
        "grayscale": [1],
        "kernel_blur": KERNELS,
        "rotation": [5, 10, 30, 45],
        "quarter_turn": [90],
        "resize": SIDES,
        "crop": [round(side**2, 4) for side in SIDES],  # its sizes are of a side
        "saturation": QUARTERS,
        "perspective": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
        "brightness": QUARTERS,
        "contrast": QUARTERS,
        "hue": [-0.4, -0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.5],
        "jpeg": [90, 80, 70, 60, 50, 40],
        "chain_videoseal": [80, 60, 40],
    },
    "omniseal": {
        "splice": [0.05, 0.1, 0.2, 0.5, 1],
        "rotation": [5, 10, 30, 45, 90],
        "resize": [float(f"{area**0.5:.5g}") for area in SIDES],  # read as areas there
        "crop_center": [0.05, 0.1, 0.2, 0.5, 1],
        "saturation": QUARTERS,
        "sharpness": QUARTERS,
        "median": [3, 5, 9, 13, 17],
        "kernel_blur": KERNELS,
        "perspective": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
        "hue": [-0.4, -0.3, -0.2, -0.1, 0.1, 0.2, 0.3, 0.4, 0.5],
        "jpeg": [90, 80, 70, 60, 50, 40],
        "brightness": QUARTERS,
        "contrast": QUARTERS,
        "overlay_text": [0.15],
        "chain_omniseal": [80],
    },
    "stirmark": {
        "rotation": [-2, -1, -0.75, -0.5, -0.25, 0.25, 0.5, 0.75, 1, 2, 5, 10, 15, 30, 45],
        "crop_center": [0.99, 0.98, 0.95, 0.9, 0.85, 0.8, 0.75, 0.5, 0.25],
        "resize": [0.5, 0.75, 0.9, 1.1, 1.5, 2],
        "aspect": [0.8, 0.9, 1.1, 1.2],
        "jpeg": [90, 80, 70, 60, 50, 40, 35, 30, 25, 20, 15, 10],
        "median": [3, 5, 7, 9],
        "shear": [0.01, 0.05],
        "palette": [256],
    },
    "wibe": {
        "jpeg": [80, 50, 20],
        "rotation": [30, 60],
        "quarter_turn": [90],
        "kernel_blur": [3, 5, 7],
        "gaussian_noise": [0.03, 0.05, 0.08],
        "crop_center": [0.8, 0.5, 0.3],
        "resize": [0.5, 2],
        "aspect": [0.5],
        "splice": [0.8, 0.5, 0.3],
        "brightness": [1.2],
        "contrast": [1.2],
    },
    "jpeg_trust": {
        "gaussian_noise": [0.01, 0.1],  # a sigma in its README, a variance in its code
        "speckle_noise": [0.3],
        "kernel_blur": [5],
        "median": [5],
        "brightness": [1.3],
        "sharpness": [1.25],
        "gamma": [1.5],
        "rotation": [15],
        "resize_back": [0.5],  # "scaled"
        "crop_resize": [0.64],  # a tenth off every side
        "jpeg": [50],
        "jpeg2000": [10],
    },
}


def ladders(suite: str) -> dict[str, list[float]]:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        entries = compose(overrides=[f"+suite={suite}"]).suite
    return {name: list(next(iter(entry.sweep.values()))) for name, entry in entries.items()}


@pytest.mark.parametrize("suite", PUBLISHED)
def test_ladders_are_the_published_ones(suite):
    found = ladders(suite)
    assert {name: found[name] for name in PUBLISHED[suite]} == PUBLISHED[suite]


@pytest.mark.parametrize("suite", ["waves", "wbench"])
def test_diffusion_runs_at_the_published_size_where_it_is_published(suite):
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        entries = compose(overrides=[f"+suite={suite}"]).suite
    sizes = {name: entry.build.size for name, entry in entries.items() if name.startswith("diffusion")}
    assert len(sizes) > 1
    assert set(sizes.values()) == {512}


def test_standard_is_the_attacks_of_the_protocol_with_five_rungs_each():
    found = ladders("standard")
    named = {name for family in FAMILIES for name in family.split()}
    assert len(FAMILIES) == 31
    assert named == set(found) - {"identity"}
    short = {name: len(rungs) for name, rungs in found.items() if len(rungs) < 5}
    assert short == {"identity": 1, "flip": 1, "flip_vertical": 1, "grayscale": 1} | {
        "negative": 1,
        "channel_swap": 1,
        "crop_center": 1,  # the published extra rung of number 7
        "splice": 4,  # the fifth, the whole area, is the identity
        "chain_videoseal": 3,  # as published
    }


def test_videoseals_chain_cuts_to_71_percent_of_each_side_and_stays_there(photo):
    for quality in ladders("videoseal")["chain_videoseal"]:
        dice = [torch.Generator().manual_seed(4) for _ in range(2)]
        attacked = build_attack("chain_videoseal", "strength", quality)(photo, dice[:1])
        assert attacked.shape[-2:] == (int(0.71 * 192), int(0.71 * 256))
        cut = attacks.Crop(0.71**2, truncate=True)(attacks.Jpeg(quality)(photo), dice[1:])
        assert torch.allclose(attacked, cut / 2)


def test_every_shipped_attack_is_in_some_suite():
    """A file that no suite names is one that nobody measures."""
    text = " ".join(path.read_text() for path in sorted((CONFIGS / "suite").glob("*.yaml")))
    names = {path.stem for path in Path(CONFIGS / "attack").glob("*.yaml")}
    assert not {name for name in names if f": {name}\n" not in text and f": {name} #" not in text}
