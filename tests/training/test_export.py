import torch
from omegaconf import OmegaConf

from tests.training.tiny import tiny_trainer
from watermark.schemes.lattice.trained import load_core
from watermark.training.checkpoint import save_atomically
from watermark.training.export import export


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
    core = load_core(tmp_path / "tiny.safetensors", 40)
    assert len(digest) == 64
    assert core.message_bits == 40
    for name, value in core.state_dict().items():
        wanted = trainer.average.module.state_dict()[f"core.{name}"] + (0.5 if name == "mask.exponent" else 0)
        torch.testing.assert_close(value, wanted)
