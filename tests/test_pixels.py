"""The pictures that people hold: what comes back is the same kind, or one line says why not."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from watermark import Watermarker, files
from watermark.files.modes import upright
from watermark.pixels import ready, to_tensor

PICTURE = Image.fromarray(data.chelsea()).resize((300, 200))


@pytest.fixture(scope="module")
def marker():
    return Watermarker.load("dwt_dct", key="k", device="cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("layout", ["contiguous", "channels last", "strided", "expanded"])
def test_a_tensor_of_any_float_type_and_layout_comes_back_as_the_same_kind(marker, dtype, layout):
    images = to_tensor(PICTURE).to(dtype)
    images = {
        "contiguous": images,
        "channels last": images.contiguous(memory_format=torch.channels_last),
        "strided": images.repeat_interleave(2, 3)[..., ::2],
        "expanded": images.expand(2, -1, -1, -1),
    }[layout]
    before = images.clone()
    marked = marker.embed(images, 7, [1, 2] if layout == "expanded" else 1)
    assert (marked.dtype, marked.shape, marked.device) == (images.dtype, images.shape, images.device)
    assert torch.equal(images, before)
    assert [found.content_id for found in marker.detect(marked)] == ([1, 2] if layout == "expanded" else [1])


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1, 3, 200, 300, dtype=torch.int32),
        torch.zeros(1, 2, 200, 300),
        torch.zeros(1, 3, 200, 300, device="meta"),
        torch.full((1, 3, 200, 300), 255.0),
        torch.full((1, 3, 200, 300), float("nan")),
        torch.zeros(1, 3, 200, 300, dtype=torch.complex64),
        torch.zeros(0, 3, 200, 300),
        torch.tensor(0.5),
    ],
    ids=["whole numbers", "two planes", "no values", "to 255", "nan", "complex", "empty", "scalar"],
)
def test_any_other_tensor_is_refused_in_one_line(marker, tensor):
    for verb in (lambda: marker.embed(tensor, 1, 1), lambda: marker.detect(tensor)):
        with pytest.raises((ValueError, TypeError), match="expected") as refusal:
            verb()
        assert "\n" not in str(refusal.value)


RED = torch.from_numpy(np.array(PICTURE)).permute(2, 0, 1)  # (3, H, W) bytes
KINDS = {
    "bytes (C, H, W)": RED,
    "bytes (N, C, H, W)": RED[None],
    "bytes (H, W, C)": RED.permute(1, 2, 0),
    "bytes (N, H, W, C)": RED.permute(1, 2, 0)[None],
    "one plane": RED[:1] / 255,
    "no plane": RED[0] / 255,
    "transparency": torch.cat([RED, RED[:1]]) / 255,
    "with a gradient": (RED / 255).requires_grad_(),
    "array of halves": (np.asarray(PICTURE) / 255).astype(np.float16),
    "array of doubles": np.asarray(PICTURE) / 255,
    "array of the other byte order": (np.asarray(PICTURE) / 255).astype(">f4"),
    "array of one plane": np.asarray(PICTURE.convert("L")),
    "array with transparency": np.dstack([np.asarray(PICTURE), np.asarray(PICTURE.convert("L"))]),
    "array that runs backwards": np.asarray(PICTURE)[::-1],
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_usual_order_of_axes_comes_back_as_it_was(marker, kind):
    given = KINDS[kind]
    before = np.array(given.detach() if isinstance(given, torch.Tensor) else given)
    marked = marker.embed(given, 7, 5)
    assert type(marked) is type(given)
    assert (marked.dtype, marked.shape) == (given.dtype, given.shape)
    assert np.array_equal(given.detach() if isinstance(given, torch.Tensor) else given, before)
    found = marker.detect(marked)
    assert (found[0] if isinstance(given, torch.Tensor) else found).content_id == 5
    if "transparency" in kind:
        last = (3, ...) if isinstance(given, torch.Tensor) else (..., 3)
        assert np.array_equal(marked[last], given[last])


def test_channels_last_stay_last_in_memory(marker):
    images = to_tensor(PICTURE).contiguous(memory_format=torch.channels_last)
    assert marker.embed(images, 7, 5).is_contiguous(memory_format=torch.channels_last)


def test_a_list_comes_back_as_a_list_of_the_same_kinds(marker):
    given = [PICTURE, np.asarray(PICTURE), to_tensor(PICTURE)]
    marked = marker.embed(given, 7, [1, 2, 3])
    assert [type(one) for one in marked] == [type(one) for one in given]
    assert [marker.detect(one).content_id for one in marked[:2]] == [1, 2]
    assert marker.detect(marked[2])[0].content_id == 3
    with pytest.raises(ValueError, match=r"one per image \(3\), got 2"):
        marker.embed(given, 7, [1, 2])


@pytest.mark.parametrize(
    "array", [np.zeros((200, 300, 3), int), np.zeros((200, 300, 2)), np.zeros((2, 200, 300, 3)), "a"]
)
def test_any_other_array_is_refused_in_one_line(marker, array):
    for verb in (lambda: marker.embed(array, 1, 1), lambda: marker.detect(array)):
        with pytest.raises(TypeError, match="expected a PIL image") as refusal:
            verb()
        assert "\n" not in str(refusal.value)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", ["bytes (C, H, W)", "bytes (N, H, W, C)", "one plane", "transparency"])
def test_a_tensor_stays_on_its_device(marker, kind):
    marked = marker.embed(KINDS[kind].cuda(), 7, 5)
    assert marked.is_cuda
    assert marker.detect(marked)[0].content_id == 5
    assert marker.detect(marked.cpu())[0].content_id == 5


@pytest.mark.parametrize("mode", ["CMYK", "I;16", "I", "F", "LAB", "YCbCr", "HSV"])
def test_pixels_that_would_be_falsified_are_refused_in_one_line(marker, mode):
    picture = (
        PICTURE.convert("L").convert("I").convert(mode)
        if mode == "I;16"
        else PICTURE.convert("L" if mode in ("I", "F") else "RGB").convert(mode)
    )
    for verb in (lambda: marker.embed(picture, 1, 1), lambda: marker.detect(picture)):
        with pytest.raises(ValueError, match=f"got mode {mode}") as refusal:
            verb()
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_pillow_opened_lying_stands_upright_and_keeps_its_profile(tmp_path, marker, orientation):
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = orientation, "the artist"
    profile = bytes(16) + b"RGB " + bytes(108)
    PICTURE.save(tmp_path / "a.png", exif=exif, icc_profile=profile)
    with Image.open(tmp_path / "a.png") as opened:
        marked = marker.embed(opened, 7, 5)
        upright = ready(opened)
    marked.save(tmp_path / "b.png", exif=marked.info["exif"])
    with Image.open(tmp_path / "b.png") as written:
        assert written.size == ((300, 200) if orientation < 5 else (200, 300))
        assert written.getexif().get(0x0112, 1) == 1
        assert written.getexif()[0x013B] == "the artist"
        assert written.info["icc_profile"] == profile
        assert np.abs(np.asarray(written).astype(int) - np.asarray(upright)).mean() < 3
        assert marker.detect(written).content_id == 5


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_tiff_that_pillow_turns_as_it_loads_is_turned_once(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    PICTURE.save(tmp_path / "a.tiff", exif=exif)
    wanted = np.asarray(upright(PICTURE, orientation))
    for use in (ready, lambda opened: files.save(opened, tmp_path / "b.png") or files.load(tmp_path / "b.png")):
        with Image.open(tmp_path / "a.tiff") as opened:
            assert np.array_equal(np.asarray(use(opened)), wanted)


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("1", 0), ("RGB", (1, 2, 3)), ("P", 3)])
def test_transparency_that_a_colour_stands_for_is_kept_through_the_api(tmp_path, marker, mode, key):
    keyed = PICTURE.convert(mode)
    keyed.paste(key, (0, 0, 50, 50))
    keyed.save(tmp_path / "a.png", transparency=key)
    with Image.open(tmp_path / "a.png") as opened:
        marked = marker.embed(opened, 1, 2)
        alpha = np.asarray(opened.convert("RGBA"))[..., 3]
    assert marked.mode == {"L": "LA", "1": "LA"}.get(mode, "RGBA")
    assert np.array_equal(np.asarray(marked.getchannel("A")), alpha)
    assert alpha.min() == 0
