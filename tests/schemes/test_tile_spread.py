import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from skimage import data
from torchvision.transforms.functional import gaussian_blur

from attacks.geometry import project_corners
from watermark.codec import Codec, Layout, Payload
from watermark.config import build_named
from watermark.detection.detector import Detector
from watermark.images import to_8bit
from watermark.metrics.psnr import psnr
from watermark.schemes.base import Readout
from watermark.schemes.tile_spread import TileSpread
from watermark.transforms.jnd import texture_mask
from watermark.transforms.resample import resize
from watermark.watermarker import Watermarker

PAYLOAD = Payload(version=1, provider_id=77, content_id=123_456_789)
LAYOUT = Layout(version_bits=4, provider_bits=12, content_bits=40, check_bits=16, check="crc")


@pytest.fixture(scope="module")
def photograph() -> torch.Tensor:
    pixels = torch.from_numpy(data.astronaut().copy()).permute(2, 0, 1)[None].float() / 255
    return to_8bit(resize(pixels[..., :400, 60:460], (320, 320)).clamp(0, 1))


@pytest.fixture(scope="module")
def scheme() -> TileSpread:
    return TileSpread(key=5, target_psnr=42.0)


@pytest.fixture(scope="module")
def detector(scheme) -> Detector:
    return Detector(Codec(LAYOUT, scheme.message_bits, key="codec"), 1e-6)


@pytest.fixture(scope="module")
def marked(scheme, detector, photograph) -> torch.Tensor:
    return to_8bit(scheme.embed(photograph, detector.codec.encode([PAYLOAD])))


def jpeg(images, quality):
    buffer = io.BytesIO()
    pixels = (images[0] * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(buffer)).copy()).permute(2, 0, 1)[None].float() / 255


def rotate(images, degrees):
    turned = Image.fromarray((images[0] * 255).round().byte().permute(1, 2, 0).numpy()).rotate(
        degrees, Image.Resampling.BICUBIC, expand=True
    )
    return torch.from_numpy(np.array(turned).copy()).permute(2, 0, 1)[None].float() / 255


def framed(images):
    return jpeg(F.pad(resize(images, (260, 260)).clamp(0, 1), (40, 21, 33, 10), value=0.95), 80)


def from_aside(images):
    return to_8bit(project_corners(images, torch.tensor([[[-150.0, -120], [120, -155], [155, 100], [-110, 155]]])))


ATTACKS = {
    "nothing": lambda x: x,
    "JPEG 70": lambda x: jpeg(x, 70),
    "JPEG 30": lambda x: jpeg(x, 30),
    "quarter turn and crop": lambda x: x.rot90(1, (2, 3))[..., 31:271, 22:280],
    "mirror": lambda x: x.flip(-1),
    "rotation by 20 degrees": lambda x: rotate(x, 20),
    "half size": lambda x: to_8bit(resize(x, (160, 160)).clamp(0, 1)),
    "stretched by 1.2": lambda x: to_8bit(resize(x, (320, 384)).clamp(0, 1)),
    "stretched by 2.2": lambda x: to_8bit(resize(x, (320, 704)).clamp(0, 1)),
    "half as wide": lambda x: to_8bit(resize(x, (320, 160)).clamp(0, 1)),
    "screenshot": framed,
    "crop to 30 %": lambda x: x[..., 70:246, 100:276],
    "gray": lambda x: x.mean(1, keepdim=True).expand(-1, 3, -1, -1),
    "negative": lambda x: 1 - x,
    "perspective": from_aside,
    "noise": lambda x: to_8bit((x + 0.05 * torch.randn(x.shape, generator=torch.manual_seed(0))).clamp(0, 1)),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_exact_payload_is_read_after(attack, scheme, detector, marked):
    found = detector.detect(scheme.decode(ATTACKS[attack](marked)))[0]
    assert found.is_marked
    assert (found.provider_id, found.content_id) == (PAYLOAD.provider_id, PAYLOAD.content_id)


@pytest.mark.parametrize("attack", ["nothing", "mirror", "rotation by 20 degrees", "stretched by 1.2"])
@pytest.mark.parametrize("left", [-0.4, 0.0])
def test_who_takes_the_pilot_out_does_not_take_the_mark_out(left, attack, scheme, detector, photograph, monkeypatch):
    """The pilot subtracted 1 or 1.4 times; what JPEG then leaves is too little for its fourth power to tell a shift."""
    whole = scheme.core.coefficients
    with monkeypatch.context() as patch:
        patch.setattr(
            scheme.core,
            "coefficients",
            lambda levels, carriers: torch.where(carriers.is_pilot, left, 1.0) * whole(levels, carriers),
        )
        marked = to_8bit(scheme.embed(photograph, detector.codec.encode([PAYLOAD])))
    found = detector.detect(scheme.decode(ATTACKS[attack](marked)))[0]
    assert (found.provider_id, found.content_id) == (PAYLOAD.provider_id, PAYLOAD.content_id)


def test_an_unmarked_picture_is_not_detected(scheme, detector, photograph, monkeypatch):
    monkeypatch.setattr(scheme, "search", "thorough")
    found = detector.detect(scheme.decode(torch.cat([photograph, photograph.flip(-1)])))
    assert not any(answer.is_marked for answer in found)
    assert all(answer.readings > 10 for answer in found)  # every candidate that was read is paid for


def test_a_clear_mark_is_read_once(scheme, marked):
    """However loud its own lines are, they are not doubted, and nothing slower is tried."""
    assert scheme.decode(marked).readings.item() == 1


def test_another_key_reads_nothing_and_two_keys_share_a_picture(scheme, detector, photograph, marked):
    other = TileSpread(key=6, target_psnr=42.0)
    theirs = Detector(Codec(LAYOUT, other.message_bits, key="another"), 1e-6)
    assert not theirs.detect(other.decode(marked))[0].is_marked
    word = Payload(version=1, provider_id=9, content_id=10)
    both = to_8bit(other.embed(marked, theirs.codec.encode([word])))
    assert theirs.detect(other.decode(both))[0].content_id == 10
    assert detector.detect(scheme.decode(both))[0].content_id == PAYLOAD.content_id


def test_the_same_message_takes_another_pose_in_every_picture(scheme, photograph):
    message = torch.zeros(2, scheme.message_bits, dtype=torch.bool)
    pictures = torch.cat([photograph, (photograph * 0.9 + 0.02)])
    first, second = (scheme.embed(pictures, message) - pictures).mean(1)
    assert abs(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]) < 0.1


def test_averaging_many_marked_pictures_does_not_give_a_mark_to_copy(scheme, detector):
    rng = torch.Generator().manual_seed(0)
    message = detector.codec.encode([PAYLOAD]).expand(24, -1)
    pictures = to_8bit(F.interpolate(torch.rand(24, 3, 12, 12, generator=rng), size=128, mode="bicubic").clamp(0, 1))
    residual = (scheme.embed(pictures, message) - pictures).mean(0, keepdim=True)
    copied = to_8bit((pictures[:1].mean() + 10 * residual).clamp(0, 1))
    assert not detector.detect(scheme.decode(copied))[0].is_marked


def test_no_frequency_of_the_lattice_of_old_carries_the_mark(scheme, detector, photograph):
    """Whoever blanks what a 128 px tile would hold removes as much of the picture as of the mark."""
    pictures = resize(photograph, (512, 512)).clamp(0, 1)
    marked = to_8bit(scheme.embed(pictures, detector.codec.encode([PAYLOAD])))
    spectrum = torch.fft.fft2(marked)
    near = torch.fft.fftfreq(512, 1 / 512) / 4  # in lines of the tile
    on = ((near - near.round()).abs() < 0.1) & (near.abs() < 26)
    blank = on[:, None] & on & (near[:, None].hypot(near) > 2.5)
    combed = to_8bit(torch.fft.ifft2(spectrum * ~blank).real.clamp(0, 1))
    assert float(psnr(combed, marked)) < 42  # it was not nothing
    assert detector.detect(scheme.decode(combed))[0].content_id == PAYLOAD.content_id


def test_every_picture_of_a_batch_lies_at_the_target(scheme, photograph):
    pictures = torch.cat([photograph, 0.3 * photograph, photograph.flip(2)])
    message = torch.rand(3, scheme.message_bits, generator=torch.Generator().manual_seed(1)) > 0.5
    assert (psnr(to_8bit(scheme.embed(pictures, message)), pictures) - 42).abs().max() < 0.1


def test_informed_embedding_helps_the_bits_that_the_picture_speaks_against(photograph, detector):
    message = detector.codec.encode([PAYLOAD])
    signs = message.float() * 2 - 1
    worst = []
    for effort in (0, 1):
        scheme = TileSpread(key=5, target_psnr=42.0, effort=effort)
        logits = scheme.decode(to_8bit(scheme.embed(photograph, message))).logits * signs
        worst.append(float(logits.quantile(0.05) / logits.mean()))
    assert worst[1] > worst[0] + 0.05


def test_large_pictures_carry_a_larger_mark_so_that_reducing_them_changes_nothing(scheme, detector, photograph):
    large = to_8bit(resize(photograph, (1100, 1100)).clamp(0, 1))
    marked = to_8bit(scheme.embed(large, detector.codec.encode([PAYLOAD])))
    small = to_8bit(resize(marked, (400, 400)).clamp(0, 1))
    for picture in (marked, small):
        assert detector.detect(scheme.decode(picture))[0].content_id == PAYLOAD.content_id


def test_the_low_band_survives_a_blur_that_the_ordinary_one_does_not(photograph):
    codes = {}
    for name in ("tile_spread", "tile_spread_tough"):
        scheme = build_named("scheme", name, key=5, target_psnr=38.0)
        detector = Detector(Codec(LAYOUT, scheme.message_bits, key="codec"), 1e-6)
        marked = to_8bit(scheme.embed(photograph, detector.codec.encode([PAYLOAD])))
        blurred = to_8bit(gaussian_blur(marked, [41, 41], [5.0, 5.0]).clamp(0, 1))
        codes[name] = detector.detect(scheme.decode(blurred))[0].content_id
    assert codes == {"tile_spread": None, "tile_spread_tough": PAYLOAD.content_id}


def test_flat_areas_get_less_than_textured_ones_also_right_beside_an_edge():
    picture = torch.full((1, 3, 96, 96), 0.5)
    picture[..., 48:] = torch.rand(1, 1, 96, 48, generator=torch.Generator().manual_seed(0))
    mask = texture_mask(picture)[0]
    assert mask[:, :40].max() < 0.4 * mask[:, 60:].min()


def test_more_bits_than_symbols_are_refused():
    with pytest.raises(ValueError, match="at most"):
        TileSpread(message_bits=100_000, key=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_reads_what_a_cpu_marks(scheme, detector, marked):
    found = TileSpread(key=5, target_psnr=42.0).cuda().decode(marked.cuda())
    assert detector.detect(found)[0].content_id == PAYLOAD.content_id


def test_where_the_pilot_is_faint_all_candidates_hold_more_evidence_than_its_favourite(detector):
    pixels = torch.from_numpy(data.astronaut()[:384, :384].copy()).permute(2, 0, 1)[None].float() / 255
    reader = TileSpread(key=5, target_psnr=42.0)
    marked = to_8bit(reader.embed(pixels, detector.codec.encode([PAYLOAD])))
    readouts = [reader.decode(jpeg(marked, quality)) for quality in range(8, 15)]
    found = [evidence(detector, readout) for readout in readouts]
    alone = [evidence(detector, Readout.of(readout.logits)) for readout in readouts]
    assert sum(found) < sum(alone) - 5  # decades of log10 p, every candidate paid for


def evidence(detector, readout):
    return detector.detect(readout, expected=[PAYLOAD])[0].log10_p_expected


@torch.no_grad()
@pytest.mark.parametrize("key", [40, 42])
def test_the_pilot_upside_down_is_not_taken_for_the_pilot_of_a_crop(key):
    """Under these keys a slope of the half-turned pilot stands above what is believed, at another shift."""
    marker = Watermarker.load("tile_spread", key=key, device="cpu")
    marked = marker.embed(data.coffee()[:362], provider_id=7, content_id=5)
    found = marker.detect(np.ascontiguousarray(marked[10:-70, 70:]))
    assert (found.provider_id, found.content_id) == (7, 5)
