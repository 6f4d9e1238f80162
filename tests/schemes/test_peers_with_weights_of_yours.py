"""Marks whose weights the user brings: stand-ins of the authors' code and graphs, with their names and shapes."""

import sys

import numpy as np
import pytest
import torch
from peer_stand_ins import INVISMARK, MBRS, WAM, Backbone
from PIL import Image

from attacks import Jpeg
from watermark.errors import UserError
from watermark.metrics.psnr import psnr
from watermark.pixels import to_tensor
from watermark.schemes.peers import LatentMark, export
from watermark.schemes.peers import exported as exported_networks
from watermark.schemes.peers.latent import directions
from watermark.watermarker import Watermarker

GREY = np.full((300, 400, 3), 127, np.uint8)


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """Writes a stand-in of a repository; what was imported from it is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(files):
        for name, text in files.items():
            path = tmp_path / "clone" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return str(tmp_path / "clone")

    yield write
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("network", "configs", "model", "watermark_anything"):
            del sys.modules[name]


def exported(kind, beside, state, tmp_path):
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(SystemExit) as ended:
        export.main([kind, beside, str(tmp_path / "weights.pth"), str(tmp_path / "made.pt")])
    assert ended.value.code == 0
    return str(tmp_path / "made.pt")


def carries(marker, picture=GREY):
    marked = marker.embed(picture, 7, 5)
    found = marker.detect(Image.fromarray(marked).resize((333, 250)))  # another size, another shape
    assert marked.shape == picture.shape
    assert (found.is_marked, found.provider_id, found.content_id) == (True, 7, 5)
    assert not marker.detect(picture).is_marked


def test_mbrs_carries_our_code_word_at_any_size(clone, tmp_path):
    state = {"encoder.gain": torch.tensor(0.05), "decoder.gain": torch.tensor(9.0), "noise.x": torch.zeros(1)}
    file = exported("mbrs", clone(MBRS), state, tmp_path)
    carries(Watermarker.load("mbrs", key="k", file=file, target_psnr=34))
    with pytest.raises(UserError, match="the model takes no 256 bits in"):
        Watermarker.load("mbrs", key="k", file=file, side=128).embed(GREY, 7, 5)


def test_invismark_is_read_without_fetching_what_its_code_would_fetch(clone, tmp_path, monkeypatch):
    torchvision = pytest.importorskip("torchvision")
    asked = []
    monkeypatch.setattr(
        torchvision.models, "convnext_base", lambda weights: asked.append(weights) or torch.nn.Identity()
    )
    folder = clone(INVISMARK)
    sys.path.insert(0, folder)
    import configs

    state = {"encoder_state_dict": {"gain": torch.tensor(0.05)}, "decoder_state_dict": {}, "cur_epoch": 1}
    file = exported("invismark", folder, {**state, "config": configs.ModelConfig(num_encoded_bits=100)}, tmp_path)
    carries(Watermarker.load("invismark", key="k", file=file, target_psnr=34))
    assert asked == [None]


def test_wam_marks_by_its_own_rule_and_reads_the_pixels_that_it_calls_marked(clone, tmp_path):
    state = {f"{part}.gain": torch.tensor(value) for part, value in (("embedder", 0.1), ("detector", 9.0))}
    state["attenuation.conv_lum.weight"] = torch.zeros(3, 3, 1, 1)
    file = exported("wam", clone(WAM), state, tmp_path)
    dark = np.full((300, 400, 3), (124, 116, 104), np.uint8)  # ImageNet's mean, which the stand-in reads as nothing
    marker = Watermarker.load("wam", key="k", file=file, layout="l8")
    carries(marker, dark)
    change = marker.embed(to_tensor(Image.fromarray(dark)), 7, 5) - to_tensor(Image.fromarray(dark))
    assert float(change.abs().max()) == pytest.approx(2.0 * 0.1 * 0.5 * 0.229, rel=0.01)  # scaling, gain, masking, std


@pytest.fixture
@torch.no_grad()
def features(tmp_path, monkeypatch):
    torchvision = pytest.importorskip("torchvision")
    monkeypatch.setattr(torchvision.models, "resnet50", Backbone)
    torch.manual_seed(0)
    network = Backbone()
    network.fc = torch.nn.Identity()
    state = {f"module.backbone.{name}": value for name, value in network.state_dict().items()}
    centre, spread = (
        torch.tensor(values)[:, None, None] for values in (exported_networks.MEAN, exported_networks.SPREAD)
    )
    grey = torch.rand(8, 3, 96, 128, generator=torch.Generator().manual_seed(1)) * 0.3 + 0.35
    mean = network((grey - centre) / spread).mean(0)
    weight = torch.randn(128, 2048) / 2048
    torch.save({"weight": weight, "bias": -weight @ mean}, tmp_path / "norm.pth")
    return exported("ssl", str(tmp_path / "norm.pth"), {"teacher": state, "epoch": 300}, tmp_path)


def test_a_mark_in_features_is_read_after_jpeg_under_its_own_key_alone(features):
    picture = np.random.default_rng(0).integers(90, 160, (96, 128, 3), dtype=np.uint8)
    marker = Watermarker.load("ssl", key="k", file=features, layout="l8", steps=40, target_psnr=30)
    marked = marker.embed(picture, 3, 2)  # of 32 bits all have to be right: not every payload's are
    assert float(psnr(to_tensor(Image.fromarray(marked)), to_tensor(Image.fromarray(picture)))) == pytest.approx(
        30, abs=0.2
    )
    found = marker.detect(Jpeg(90).picture(Image.fromarray(marked)))
    assert (found.is_marked, found.provider_id, found.content_id) == (True, 3, 2)
    assert not Watermarker.load("ssl", key="another", file=features, layout="l8").detect(marked).is_marked
    assert np.array_equal(marked, marker.embed(picture, 3, 2))


def test_directions_are_orthonormal_and_the_keys_own():
    mine = directions("k", 30, 256)
    assert torch.allclose(mine @ mine.T, torch.eye(30), atol=1e-5)
    assert (mine @ directions("l", 30, 256).T).abs().max() < 0.4


def test_a_mark_in_features_needs_a_bound_and_features(features, tmp_path):
    with pytest.raises(ValueError, match="target_psnr must be a number"):
        LatentMark(features, key="k", target_psnr=None)
    with pytest.raises(UserError, match=r"expected features \(N, D\) with D of at least 500, got \(1, 128\)"):
        LatentMark(features, key="k", message_bits=500).decode(torch.rand(1, 3, 64, 64))


class Graph:
    """The interface of onnxruntime on the benchmarks' ``stega_stamp.onnx``: bits in 10 x 10 blocks' brightness."""

    def __init__(self, path, providers):
        assert providers == ["CPUExecutionProvider"]

    def get_inputs(self):
        return [type("Input", (), {"name": name}) for name in ("secret", "image")]

    def get_outputs(self):
        return [None] * 3

    def run(self, names, asked):
        image, secret = asked["image"], asked["secret"]
        assert (image.shape, image.dtype, secret.shape, secret.dtype) == (
            (1, 400, 400, 3),
            np.float32,
            (1, 100),
            np.float32,
        )
        field = np.kron(secret.reshape(10, 10) * 0.1 - 0.05, np.ones((40, 40)))[None, :, :, None].astype(np.float32)
        means = image.mean(3).reshape(10, 40, 10, 40).mean((1, 3)).reshape(1, 100)
        return [image + field, field, (means > 0.4985).astype(np.float32)]


def test_stegastamp_carries_our_code_word_in_its_raw_bits(tmp_path, monkeypatch):
    runtime = pytest.importorskip("onnxruntime")
    monkeypatch.setattr(runtime, "InferenceSession", Graph)
    (tmp_path / "stega_stamp.onnx").write_bytes(b"")
    carries(Watermarker.load("stegastamp", key="k", file=str(tmp_path / "stega_stamp.onnx"), target_psnr=30))


def test_a_graph_that_is_none_or_another_one_is_one_line(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "none.onnx").write_bytes(b"no graph")
    with pytest.raises(UserError, match="no ONNX model"):
        Watermarker.load("stegastamp", key="k", file=str(tmp_path / "none.onnx"))
    imwatermark = pytest.importorskip("imwatermark")
    other = f"{imwatermark.__path__[0]}/rivagan_encoder.onnx"
    with pytest.raises(UserError, match="expected inputs image and secret and three outputs"):
        Watermarker.load("stegastamp", key="k", file=other)


@pytest.mark.parametrize("name", ["wam", "mbrs", "invismark", "ssl", "stegastamp", "videoseal"])
def test_without_weights_one_line_says_where_to_read_on(name):
    with pytest.raises(UserError, match=r"no such file\); docs/weights.md says how to get one"):
        Watermarker.load(name, key="k", layout="l8", file="missing.file")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"encoder.gain": torch.zeros(3)}, "size mismatch"),
        ({}, "Missing key"),
        ([1], "expected a checkpoint of tensors, got list"),
    ],
)
def test_weights_that_do_not_fit_are_one_line_and_write_nothing(clone, tmp_path, capsys, state, said):
    torch.save(state, tmp_path / "weights.pth")
    asked = ["mbrs", clone(MBRS), str(tmp_path / "weights.pth"), str(tmp_path / "made.pt")]
    with pytest.raises(SystemExit):
        export.main(asked)
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not (tmp_path / "made.pt").exists()


def test_a_clone_that_is_none_and_a_file_that_is_there_are_one_line(tmp_path):
    torch.save({}, tmp_path / "weights.pth")
    with pytest.raises(UserError, match=r"network\.Encoder_MP cannot be imported"):
        export.export("mbrs", tmp_path, tmp_path / "weights.pth", tmp_path / "made.pt")
    with pytest.raises(UserError, match="is there already"):
        export.export("mbrs", tmp_path, tmp_path / "weights.pth", tmp_path / "weights.pth")
    with pytest.raises(UserError, match="no such file or folder"):
        export.export("mbrs", tmp_path / "none", tmp_path / "weights.pth", tmp_path / "made.pt")
