"""The same operation by somebody else's code: Pillow, SciPy, scikit-image, torchvision."""

import colorsys
import io

import numpy as np
import pytest
import skimage.restoration
import skimage.transform
import torch
from attack_files import CONFIGS
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image, ImageEnhance, ImageFilter
from scipy import ndimage, signal
from scipy.fft import dctn

import attacks
from attacks.functional import color, filters, warp
from attacks.functional.codec import from_pillow, to_pillow
from attacks.geometry import project_corners
from attacks.soft_jpeg import LUMA_TABLE, quantisation_table

LEVEL = 1 / 255


def pillow(images: torch.Tensor) -> Image.Image:
    return to_pillow(images)[0]


def array(images: torch.Tensor) -> np.ndarray:
    return images[0].permute(1, 2, 0).double().numpy()


def largest(first: torch.Tensor, second: torch.Tensor | np.ndarray) -> float:
    return float(np.abs(array(first) - (array(second) if isinstance(second, torch.Tensor) else second)).max())


def psnr(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(-10 * torch.log10((first - second).square().mean()))


@pytest.mark.parametrize(("subsampling", "number"), [("4:2:0", 2), ("4:2:2", 1), ("4:4:4", 0)])
@pytest.mark.parametrize("quality", [95, 50, 10])
def test_jpeg_is_what_pillow_writes(photo, subsampling, number, quality):
    buffer = io.BytesIO()
    pillow(photo).save(buffer, "JPEG", quality=quality, subsampling=number)
    expected = from_pillow([Image.open(buffer)], photo)
    assert torch.equal(attacks.Jpeg(quality, subsampling)(photo), expected)


def test_jpeg_rounds_instead_of_truncating():
    images = torch.full((1, 3, 16, 16), 100.6 / 255)
    assert torch.allclose(attacks.Jpeg(100, "4:4:4")(images) * 255, torch.tensor(101.0))


@pytest.mark.parametrize("scale", [0.32, 0.55, 1.5])
def test_resize_is_pillows_bicubic(photo, scale):
    images = (photo * 255).round() / 255
    resized = attacks.Resize(scale)(images)
    expected = pillow(images).resize((resized.shape[-1], resized.shape[-2]), Image.Resampling.BICUBIC)
    difference = (resized - from_pillow([expected], photo)).abs()
    assert difference.mean() < 0.4 * LEVEL  # Pillow rounds and clips twice, once per axis
    assert difference.amax() < 4 * LEVEL


def test_crop_keeps_area_and_shape_of_the_frame(photo):
    for area in (0.9, 0.5, 0.1):
        height, width = attacks.Crop(area)(photo).shape[-2:]
        assert height * width / (192 * 256) == pytest.approx(area, rel=0.02)
        assert width / height == pytest.approx(256 / 192, rel=0.02)


def test_center_crop_is_the_middle_of_the_picture(photo):
    assert torch.equal(attacks.Crop(0.25, "center")(photo), photo[..., 48:144, 64:192])


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_are_exact(photo, quarters):
    turned = attacks.Rotation(90 * quarters, frame="expand")(photo)
    assert largest(turned, torch.rot90(photo, quarters, (-2, -1))) < 1e-4


@pytest.mark.parametrize("degrees", [-7, 3, 30])
def test_rotation_turns_like_scipy(photo, degrees):
    smooth = filters.gaussian_blur(photo, 1.5)
    expected = ndimage.rotate(array(smooth), degrees, reshape=False, order=3, mode="constant")
    inner = (..., slice(60, 132), slice(80, 176))
    assert largest(attacks.Rotation(degrees)(smooth)[inner], expected[60:132, 80:176]) < 0.02


def test_rotation_inside_shows_no_black(photo):
    bright = photo.clamp(min=0.5)
    assert attacks.Rotation(2, frame="inside")(bright).amin() > 0.4


def test_perspective_moves_the_corners_where_it_says(photo):
    corners = torch.tensor([[[-100.0, -70], [120, -90], [110, 80], [-128, 96]]], dtype=torch.float64)
    back, _ = warp.look_back(corners, 192, 256)
    start = torch.tensor([[-128.0, -96], [128, -96], [128, 96], [-128, 96]], dtype=torch.float64)
    assert torch.allclose(warp.positions(corners[0, :, 0], corners[0, :, 1], back)[0], start, atol=1e-9)


def test_mild_perspective_is_scikit_images_bilinear_warp(photo):
    corners = torch.tensor([[[-110.0, -80], [115, -90], [120, 85], [-118, 92]]], dtype=torch.float64)
    middle = np.array([[1, 0, 127.5], [0, 1, 95.5], [0, 0, 1]])  # positions from the centre to pixel indices
    back = middle @ warp.look_back(corners, 192, 256)[0][0].numpy() @ np.linalg.inv(middle)
    expected = skimage.transform.warp(array(photo), back, order=1, mode="constant")
    assert largest(project_corners(photo, corners), expected) < 1e-3


def test_steps_of_a_homography_are_the_distances_it_looks_up(photo):
    corners = torch.tensor([[[-100.0, -70], [20, -90], [110, 80], [-128, 96]]], dtype=torch.float64)
    back, steps = warp.look_back(corners, 192, 256)
    x, y = corners.unbind(-1)
    angle = torch.linspace(0, torch.pi, 181, dtype=torch.float64)[:, None]
    here, there = (warp.positions(x + e * angle.cos(), y + e * angle.sin(), back) for e in (0.0, 1e-4))
    assert steps.item() == pytest.approx(float((there - here).norm(dim=-1).max()) / 1e-4, rel=1e-3)


def test_perspective_averages_where_it_shrinks_a_lot():
    """One bilinear sample of black-and-white noise leaves a deviation of about a third, the mean of four half of it."""
    noise = torch.randint(2, (1, 3, 200, 200), generator=torch.Generator().manual_seed(3)).float()
    signs = torch.tensor([[[-1.0, -1], [1, -1], [1, 1], [-1, 1]]])
    mild, strong = (project_corners(noise, half * signs)[..., 85:115, 85:115].std() for half in (75, 19))
    assert mild > 0.28
    assert strong < 0.22


@pytest.mark.parametrize("name", ["linear", "linear_2", "linear_3"])
def test_linear_maps_move_a_dot_where_stirmarks_matrix_says(name):
    entry = OmegaConf.load(CONFIGS / "attack" / "linear.yaml")
    entry.merge_with(OmegaConf.load(CONFIGS / "suite" / "stirmark.yaml")[name])
    attack = instantiate(entry.build)(share=4)
    dot = torch.zeros(1, 3, 201, 201)
    dot[..., 100 - 60, 100 + 70] = 1
    seen = attack(filters.gaussian_blur(dot, 3))[0, 0]
    x, y = (float((seen * axis).sum() / seen.sum()) for axis in warp.axes(201, 201, seen))
    matrix = np.eye(2) + 4 * (np.array(entry.build.matrix) - np.eye(2))
    assert (x, y) == pytest.approx(tuple(matrix @ [70, -60]), abs=0.05)


def test_a_palette_has_the_stated_number_of_colours_near_the_old_ones(photo):
    few = attacks.Palette(32)(photo)
    assert len(np.unique(np.asarray(pillow(few)).reshape(-1, 3), axis=0)) == 32
    assert psnr(few, photo) > 25


def test_translation_moves_whole_pixels(photo):
    moved = attacks.Translate(7)(photo)
    assert torch.equal(moved[..., 7:, 7:], photo[..., :-7, :-7])
    assert moved[..., :7, :].abs().max() == 0


def test_removed_lines_are_gone_and_the_others_untouched(photo):
    numbered = torch.arange(192.0)[:, None].expand(3, 192, 256)[None] / 255
    kept = attacks.RemoveLines(17)(numbered)
    assert kept.shape == (1, 3, 175, 239)
    assert (kept[0, 0, :, 0].diff() > 0).all()


@pytest.mark.parametrize("sigma", [1, 3, 7])
def test_blur_is_scipys_gaussian(photo, sigma):
    expected = ndimage.gaussian_filter(array(photo), (sigma, sigma, 0), mode="nearest", truncate=4)
    assert largest(attacks.GaussianBlur(sigma)(photo), expected) < 1e-5


def test_blur_wider_than_the_picture_is_scipys_too(photo):
    narrow = photo[..., :40, :30]
    expected = ndimage.gaussian_filter(array(narrow), (20, 20, 0), mode="nearest", truncate=4)
    assert largest(attacks.GaussianBlur(20)(narrow), expected) < 1e-5


def test_box_blur_is_scipys_uniform_filter(photo):
    expected = ndimage.uniform_filter(array(photo), (5, 5, 1), mode="nearest")
    assert largest(filters.box_blur(photo, 2), expected) < 1e-5


@pytest.mark.parametrize("size", [3, 5, 9])
def test_median_is_scipys(photo, size):
    images = (photo * 255).round() / 255
    expected = ndimage.median_filter(array(images), (size, size, 1), mode="nearest")
    assert largest(attacks.Median(size)(images), expected) < 1e-6


@pytest.mark.parametrize("factor", [0.25, 0.75, 1.4, 2.0])
@pytest.mark.parametrize(
    ("attack", "enhancer"),
    [
        (attacks.Brightness, "Brightness"),
        (attacks.Contrast, "Contrast"),
        (attacks.Saturation, "Color"),
        (attacks.Sharpness, "Sharpness"),
    ],
)
def test_sliders_are_pillows(photo, attack, enhancer, factor):
    images = (photo * 255).round() / 255
    expected = getattr(ImageEnhance, enhancer)(pillow(images)).enhance(factor)
    assert largest(attack(factor)(images), from_pillow([expected], photo)) < 2.1 * LEVEL  # Pillow rounds its grey, too


def test_hue_turns_the_hue_of_hsv():
    red, green, blue = 0.8, 0.3, 0.4
    h, s, v = colorsys.rgb_to_hsv(red, green, blue)
    expected = torch.tensor(colorsys.hsv_to_rgb((h + 0.25) % 1, s, v))
    turned = attacks.Hue(0.25)(torch.tensor([red, green, blue]).view(1, 3, 1, 1).expand(1, 3, 4, 4).contiguous())
    assert torch.allclose(turned[0, :, 0, 0], expected, atol=1e-4)


def test_unsharp_mask_is_pillows_in_kind(photo):
    images = filters.gaussian_blur(photo, 1.0)
    expected = from_pillow([pillow(images).filter(ImageFilter.UnsharpMask(1, 100, 0))], photo)
    assert psnr(attacks.Sharpen(1.0)(images), expected) > 38  # Pillow approximates the Gaussian by boxes


@pytest.mark.parametrize("weight", [0.05, 0.2])
def test_total_variation_is_scikit_images(photo, weight):
    expected = skimage.restoration.denoise_tv_chambolle(array(photo), weight, eps=0, max_num_iter=41, channel_axis=-1)
    assert largest(attacks.TotalVariation(weight)(photo), expected) < 1e-4


def test_nonlocal_means_is_scikit_images_inside_the_border(photo):
    expected = skimage.restoration.denoise_nl_means(
        array(photo), patch_size=5, patch_distance=5, h=0.6 * 0.08, sigma=0.08, fast_mode=True, channel_axis=-1
    )
    inner = (slice(12, -12), slice(12, -12))
    found = attacks.NonLocalMeans(0.08)(photo)
    difference = np.abs(array(found)[inner] - expected[inner])
    assert np.median(difference) < 0.1 * LEVEL
    assert difference.mean() < 1 * LEVEL  # scikit-image drops weights below exp(-5)


def test_wavelet_shrinkage_is_scikit_images(photo):
    noisy = (photo + 0.05 * torch.randn(photo.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    expected = skimage.restoration.denoise_wavelet(
        array(noisy), sigma=0.05, wavelet="db2", wavelet_levels=4, mode="soft", channel_axis=-1, rescale_sigma=False
    )
    assert largest(attacks.WaveletShrinkage(0.05)(noisy), np.clip(expected, 0, 1)) < 1e-3


@pytest.mark.parametrize("denoiser", [attacks.DctShrinkage, attacks.NonLocalMeans, attacks.WaveletShrinkage])
def test_denoisers_bring_a_noisy_picture_closer_to_the_clean_one(photo, denoiser):
    noisy = attacks.GaussianNoise(0.05)(photo)
    assert psnr(denoiser(0.05)(noisy), photo) > psnr(noisy, photo) + 1.5


def test_noise_has_the_stated_deviation_and_salt_the_stated_share():
    grey = torch.full((2, 3, 128, 128), 0.5)
    noisy = attacks.GaussianNoise(0.1)(grey) - grey
    assert noisy.std().item() == pytest.approx(0.1, rel=0.02)
    assert abs((noisy[0] * noisy[1]).mean()) < 3e-4  # each image has its own
    salted = attacks.SaltPepper(0.1)(grey)
    assert ((salted == 0) | (salted == 1)).float().mean().item() == pytest.approx(0.1, rel=0.06)
    assert (salted == 1).float().mean().item() == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize("area", [0.05, 0.25, 0.7])
def test_erased_area_is_the_stated_one(photos, area):
    black = (attacks.Erase(area)(photos.clamp(min=0.1)) == 0).all(1).float().mean((1, 2))
    assert torch.allclose(black, torch.tensor(area), atol=0.02)


def test_quantisation_tables_are_those_in_pillows_files(photo):
    for quality in (10, 50, 75, 95):
        buffer = io.BytesIO()
        pillow(photo).save(buffer, "JPEG", quality=quality)
        written = torch.tensor(Image.open(buffer).quantization[0]).float()
        ours = quantisation_table(LUMA_TABLE, quality).flatten()
        assert torch.equal(ours, written)


def test_colour_matrices_invert_and_p3_keeps_white(photo):
    assert largest(color.ycc_to_rgb(color.rgb_to_ycc(photo)), photo) < 1e-5
    assert largest(color.to_srgb(color.to_linear(photo)), photo) < 1e-5
    white = color.mix(torch.ones(1, 3, 1, 1), color.SRGB_TO_P3)
    assert torch.allclose(white, torch.ones(1, 3, 1, 1), atol=1e-6)


def test_block_transform_of_dct_shrinkage_is_scipys():
    block = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    basis = np.array(dctn(np.eye(8), axes=[0], norm="ortho"))
    assert np.allclose(basis @ block[0, 0].numpy() @ basis.T, dctn(block[0, 0].numpy(), norm="ortho"), atol=1e-6)
    assert largest(attacks.DctShrinkage(1e-6)(block), block) < 1e-4  # nothing below the threshold: nothing changes


def test_wiener_is_scipys(photo):
    ours = array(attacks.Wiener(0.05)(photo))
    theirs = np.stack([signal.wiener(plane, 5, 0.05**2) for plane in photo[0].double().numpy()], 2)
    inside = (slice(4, -4), slice(4, -4))  # scipy takes black for what lies outside
    assert np.abs(ours[inside] - theirs[inside]).max() < 1e-4


def test_defocus_and_motion_are_means_over_a_disk_and_a_line(photo):
    radius = 3.0
    blurred = attacks.DefocusBlur(radius)(photo)
    fine = (np.arange(-70, 70) + 0.5) / 20  # pixels
    disk = (fine[:, None] ** 2 + fine[None] ** 2 <= radius**2).astype(float)
    kernel = disk.reshape(7, 20, 7, 20).sum((1, 3))
    expected = ndimage.convolve(array(photo), (kernel / kernel.sum())[..., None], mode="nearest")
    assert largest(blurred, expected) < 0.01
    point = torch.zeros(1, 3, 41, 41)
    point[..., 20, 20] = 1
    moved = attacks.MotionBlur(15)(point, [torch.Generator().manual_seed(3)])[0, 0].double()
    rows, columns = torch.meshgrid(torch.arange(41.0) - 20, torch.arange(41.0) - 20, indexing="ij")
    spread = torch.cov(torch.stack([rows.flatten(), columns.flatten()]).double(), aweights=moved.flatten())
    narrow, wide = torch.linalg.eigvalsh(spread).sqrt().tolist()
    assert wide == pytest.approx(15 / 12**0.5, rel=0.05)
    assert narrow < 0.6


def test_shot_and_impulse_noise_have_the_moments_that_they_name():
    grey = torch.full((1, 3, 200, 200), 0.4)
    shot = attacks.ShotNoise(50)(grey)
    assert float(shot.mean()) == pytest.approx(0.4, abs=0.005)
    assert float(shot.var()) == pytest.approx(0.4 / 50, rel=0.05)
    impulse = attacks.ImpulseNoise(0.2)(grey)
    assert float((impulse != 0.4).float().mean()) == pytest.approx(0.2, abs=0.01)
    assert float((impulse != 0.4).all(1).float().mean()) == pytest.approx(0.2**3, abs=0.004)  # not pixel by pixel


def test_pixelate_is_pillows_box_and_nearest(photo):
    photo = photo[..., : photo.shape[-2] // 4 * 4, : photo.shape[-1] // 4 * 4]
    picture = pillow(photo)
    small = picture.resize((picture.width // 4, picture.height // 4), Image.Resampling.BOX)
    expected = from_pillow([small.resize(picture.size, Image.Resampling.NEAREST)], photo)
    assert largest(attacks.Pixelate(0.25)((photo * 255).round() / 255), expected) <= 1.01 * LEVEL


def test_the_negative_and_the_swapped_channels_are_what_they_say(photo):
    assert torch.allclose(attacks.Negative()(photo), 1 - photo)
    assert torch.equal(attacks.ChannelSwap(1)(photo)[:, 1], photo[:, 0])
    assert torch.equal(attacks.ChannelSwap(2)(photo)[:, 0], photo[:, 1])
