import pytest
import torch
from omegaconf import OmegaConf
from tiny_trainer import tiny_trainer

from watermark.schemes.block_pair import BlockPair
from watermark.schemes.lattice.trained import trainable_mark
from watermark.schemes.pair import PairScheme
from watermark.schemes.weights_file import read_weights
from watermark.training.checkpoint import save_atomically
from watermark.training.export import export, main
from watermark.training.pairs import PairTraining


def test_what_is_exported_is_what_was_trained(tmp_path):
    trainer = tiny_trainer(tmp_path, steps=1)
    trainer.run()
    save_atomically({"step": 1, "score": 0.5, "values": trainer.average.module.state_dict()}, tmp_path / "best.pt")
    settings = {
        "message_bits": 32,
        "spacing": 32,
        "low": 0.05,
        "high": 0.25,
        "pilot_lines": 12,
        "pilot_band": [0.08, 0.22],
        "width": 4,
    }
    config = {"name": "tiny", "model": {"core": {"_target_": "ignored.Name", **settings}}}
    OmegaConf.save(OmegaConf.create(config), tmp_path / "config.yaml")
    digest = export(tmp_path, tmp_path / "tiny.safetensors", sharpen_mask=0.5)
    core = read_weights(str(tmp_path / "tiny.safetensors"), ["lattice_mark"]).load(trainable_mark, message_bits=40)
    assert len(digest) == 64
    assert core.message_bits == 40
    for name, value in core.state_dict().items():
        wanted = trainer.average.module.state_dict()[f"core.{name}"] + (0.5 if name == "mask.exponent" else 0)
        torch.testing.assert_close(value, wanted)


def test_a_folder_that_is_no_run_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path), str(tmp_path / "out.safetensors")])
    assert capsys.readouterr().err == f"watermark: {tmp_path}/best.pt: expected a checkpoint, got no regular file\n"


@pytest.fixture
def pair_run(tmp_path):
    """The folder of a training run of a small pair, and its averaged weights."""
    torch.manual_seed(0)
    model = PairTraining(BlockPair(8, 32))
    save_atomically({"step": 1, "score": 0.5, "values": model.state_dict()}, tmp_path / "best.pt")
    pair = {"_target_": "watermark.schemes.block_pair.BlockPair", "message_bits": 8, "frame": 32}
    OmegaConf.save(OmegaConf.create({"name": "tiny", "model": {"pair": pair}}), tmp_path / "config.yaml")
    return tmp_path, model.pair


def test_an_exported_pair_is_a_scheme_that_reads_as_the_trained_one_did(pair_run):
    run, pair = pair_run
    digest = export(run, run / "tiny.safetensors")
    scheme = PairScheme(str(run / "tiny.safetensors"), key=0, grid=1)
    assert scheme.weights_sha256 == digest
    assert scheme.message_bits == 8
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(scheme.decode(images).logits, pair.eval().read(images))


def test_a_pair_has_no_mask_to_sharpen(pair_run):
    with pytest.raises(ValueError, match="no mask"):
        export(pair_run[0], pair_run[0] / "tiny.safetensors", sharpen_mask=0.5)
