import hashlib
from pathlib import Path

import pytest
import torch
from skimage import data

from attacks.compression import Jpeg
from attacks.crop import Crop
from attacks.filters import GaussianBlur
from attacks.geometry import Shear
from attacks.optics import DefocusBlur
from attacks.photometric import Grayscale
from attacks.resize import Resize
from attacks.rotation import Flip, Rotation
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.schemes.learned import Learned
from watermark.schemes.weights_file import WEIGHTS
from watermark.training.losses import total_correlation

NAMES = sorted(path.stem for path in WEIGHTS.glob("learned*.safetensors"))
ATTACKS = {
    "nothing": lambda x: x,
    "jpeg 50": Jpeg(50),
    "half the area, jpeg 70": lambda x: Jpeg(70)(to_8bit(Crop(0.5)(x))),
    "turned by 10 degrees": Rotation(10),
    "sheared by 17 degrees": Shear(0.3),
    "mirrored": Flip(),
    "0.7 of the size": Resize(0.7),
    "grey, blurred": lambda x: GaussianBlur(1.5)(Grayscale()(x)),
    "negative": lambda x: 1 - x,
    "a lens out of focus": DefocusBlur(6),
}


@pytest.fixture(scope="module")
def picture():
    return torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None].float() / 255


@pytest.fixture(scope="module", params=NAMES)
def marked(request, picture):
    scheme = Learned(512, key=11, weights=request.param, target_psnr=42)
    message = torch.rand(1, 512, generator=torch.Generator().manual_seed(0)) < 0.5
    return scheme, message, to_8bit(scheme.embed(picture, message))


def test_the_weights_ship():
    assert NAMES == ["learned", "learned_tough"]


@pytest.mark.parametrize("name", NAMES)
def test_the_model_card_names_the_file_that_ships(name):
    file = WEIGHTS / f"{name}.safetensors"
    assert hashlib.sha256(file.read_bytes()).hexdigest() in (WEIGHTS / f"{name}.md").read_text()
    assert file.stat().st_size < 2_000_000


def test_the_mark_has_the_asked_quality(marked, picture):
    assert abs(float(psnr(marked[2], picture)) - 42) < 0.1


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_message_is_read_blindly_after(attack, marked):
    scheme, message, image = marked
    readout = scheme.decode(to_8bit(attack(image)))
    assert float(total_correlation(readout.logits, message)) > 14  # the l64 code needs about 13


@pytest.mark.parametrize("attack", ["nothing", "mirrored", "turned by 10 degrees"])
@pytest.mark.parametrize("left", [-0.4, 0.0])
def test_who_takes_the_pilot_out_does_not_take_the_mark_out(left, attack, picture, monkeypatch):
    scheme, message = Learned(512, key=11, target_psnr=42), torch.rand(1, 512) < 0.5
    whole = scheme.core.coefficients
    with monkeypatch.context() as patch:
        patch.setattr(
            scheme.core,
            "coefficients",
            lambda levels, layout: torch.where(layout.is_pilot, left, 1.0) * whole(levels, layout),
        )
        marked = to_8bit(scheme.embed(picture, message))
    found = scheme.decode(to_8bit(ATTACKS[attack](marked)))
    read = [float(total_correlation(found.reading(0, i)[None], message)) for i in range(1 + found.others.shape[1])]
    assert max(read) > 14


def test_another_key_reads_nothing(marked):
    _, message, image = marked
    other = Learned(512, key=12, target_psnr=42)
    assert abs(float(total_correlation(other.decode(image).logits, message))) < 4


def test_two_pictures_with_one_message_do_not_line_up(marked, picture):
    scheme, message, _ = marked
    first, second = (scheme.residual(x, message) for x in (picture, picture.flip(2)))
    flat = torch.stack([first.flatten(), second.flatten()])
    assert abs(float(torch.corrcoef(flat)[0, 1])) < 0.1


def test_a_batch_reads_as_its_pictures_do(marked):
    scheme, _, image = marked
    other = to_8bit(Jpeg(30)(image))
    batch = scheme.decode(torch.cat([image, other])).logits
    single = torch.cat([scheme.decode(image).logits, scheme.decode(other).logits])
    assert ((batch > 0) == (single > 0)).float().mean() > 0.99


def test_unknown_weights_are_told_with_what_there_is():
    with pytest.raises(ValueError, match=r"no weights 'nonsense'.*learned"):
        Learned(key=0, weights="nonsense")


def test_weights_of_something_else_are_refused(tmp_path):
    from safetensors.torch import save_file

    path = Path(tmp_path) / "other.safetensors"
    save_file({"weight": torch.zeros(1)}, str(path))
    with pytest.raises(ValueError, match="holds no weights of lattice_mark"):
        Learned(key=0, weights=str(path))


def test_a_flat_graphic_ends_above_the_target_rather_than_showing_grain(picture):
    flat = torch.full((1, 3, 256, 320), 0.7)
    message = torch.rand(1, 1024, generator=torch.Generator().manual_seed(1)) > 0.5
    marker = Learned(key=3, target_psnr=42.0)
    assert float(psnr(to_8bit(marker.embed(flat, message)), flat)) > 43.5
    assert abs(float(psnr(to_8bit(marker.embed(picture, message)), picture)) - 42) < 0.05


def test_colour_upside_down_speaks_for_the_mark_and_not_against_it(marked):
    """What a half turn of the hue does to colour differences: the same luma, blue difference of opposite sign."""
    scheme, message, image = marked
    luma = (image * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True).expand(-1, 3, -1, -1)
    inverted, grey = (to_8bit(x.clamp(0, 1)) for x in (2 * luma - image, luma))
    score = [float(total_correlation(scheme.decode(x).logits, message)) for x in (inverted, grey)]
    assert score[0] > score[1] > 14
