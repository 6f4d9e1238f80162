import logging
import math
from functools import partial

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from PIL import Image
from safetensors import safe_open
from tiny_trainer import tiny_trainer

from attacks.diffusion.unet import load_unet
from watermark.cli import train as cli_train
from watermark.cli.train import main, make_trainer, outcome, plan, take_over
from watermark.config import CONFIG_DIR, config_names
from watermark.errors import UserError
from watermark.schemes.weights_file import WEIGHTS
from watermark.training.config import TrainConfig


def composed(*overrides):
    ConfigStore.instance().store(name="train_schema", node=TrainConfig)
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose("train", list(overrides))


@pytest.mark.parametrize(
    "name",
    [name for name in config_names("experiment") if "schedule" in (CONFIG_DIR / f"experiment/{name}.yaml").read_text()],
)
def test_every_experiment_builds_and_takes_a_step(name, tmp_path):
    config = composed(
        f"experiment={name}",
        f"output={tmp_path}",
        "photos.side=128",
        "schedule.batch=2",
        "validation.limit=1",
        "schedule.steps=1",
        "start=null",
        *(["noise.kinds.pixel_diffusion.build.model=main"] if "diffusion" in name else []),  # the small one is not here
    )
    torch.set_num_threads(1)
    trainer = make_trainer(config)
    trainer._examine = lambda journal: None  # the examination has its own test
    trainer.run()
    assert trainer.step == 1
    assert trainer.skipped == 0
    assert (tmp_path / config.name / "config.yaml").read_text().startswith("name:")


@pytest.mark.parametrize(("name", "channels"), [("diffusion_latent", 8), ("diffusion_pixel", 3)])
def test_the_verb_trains_denoisers_too(name, channels, tmp_path):
    rng = np.random.default_rng(0)
    for i in range(2):
        Image.fromarray(rng.integers(0, 255, (64, 72, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    words = [f"experiment={name}", f"output={tmp_path}", f"photos.train={tmp_path}", f"photos.val={tmp_path}"]
    small = ["examples.count=2", "examples.held=2", "examples.side=64", "steps=1", "batch=2", "crop=8", "width=8"]
    assert main([*words, *(f"denoiser.{setting}" for setting in small)]) == 0
    assert load_unet(tmp_path / name / "weights.safetensors").sizes["channels"] == channels


def test_nothing_is_trained_where_nothing_was_asked_for(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert all(name in said for name in ("experiment=NAME", "photos.train=FOLDER", *config_names("experiment")))
    assert not any(tmp_path.iterdir())


def test_a_training_says_first_what_it_trains_and_how_long(tmp_path):
    trainer = tiny_trainer(tmp_path, steps=7)
    assert plan(trainer) == (
        f"training {tmp_path.name}: 7 steps of {trainer.schedule.batch} crops of {trainer.crops.side} px from "
        f"{len(trainer.crops)} photographs on cpu -> {tmp_path}; Ctrl-C stops it, the same command goes on"
    )


def test_a_training_says_last_how_far_it_came(tmp_path):
    trainer = tiny_trainer(tmp_path, steps=2)
    trainer.run(until=1)
    assert outcome(trainer) == "stopped after step 1 of 2; the same command goes on"
    trainer.run()
    assert outcome(trainer).startswith(f"trained 2 steps, best score {trainer.best:.4f} in {tmp_path / 'best.pt'}; ")
    assert (tmp_path / "best.pt").is_file()


def test_a_training_that_was_stopped_says_so_by_its_exit_status(tmp_path, monkeypatch):
    trainer = tiny_trainer(tmp_path, steps=2)
    monkeypatch.setattr(cli_train, "make_trainer", lambda *_: trainer)
    monkeypatch.setattr(trainer, "run", partial(trainer.run, until=1))
    with pytest.raises(SystemExit) as stopped:
        main(["experiment=learned", f"output={tmp_path}"])
    assert stopped.value.code == 130
    monkeypatch.undo()
    monkeypatch.setattr(cli_train, "make_trainer", lambda *_: trainer)
    assert main(["experiment=learned", f"output={tmp_path}"]) == 0


def test_a_denoiser_without_photographs_is_refused_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["experiment=diffusion_pixel", f"output={tmp_path}"])
    assert stopped.value.code == 2
    assert "photos.train=FOLDER" in capsys.readouterr().err


def test_photos_without_validation_photos_are_refused(tmp_path):
    with pytest.raises(UserError, match="give both"):
        make_trainer(composed("experiment=learned", f"photos.train={tmp_path}", f"output={tmp_path}"))


def test_a_folder_without_photographs_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("no photograph")
    with pytest.raises(UserError, match=r"^photos\.train: expected \.jpeg \.jpg \.png \.webp files in .*, got none$"):
        make_trainer(composed("experiment=learned", f"photos.train={tmp_path}", f"photos.val={tmp_path}"))


def test_a_run_can_begin_with_parts_of_another(tmp_path):
    first = tiny_trainer(tmp_path, steps=2)
    first.run()
    first._examine(None)
    torch.save({"values": first.average.module.state_dict()}, tmp_path / "best.pt")
    second = tiny_trainer(tmp_path / "second", steps=2)
    fresh = {name: value.clone() for name, value in second.model.state_dict().items()}
    take_over(second.model, str(tmp_path / "best.pt"), ["whiten"])
    for name, value in second.model.state_dict().items():
        assert torch.equal(value, first.average.module.state_dict()[name] if "whiten" in name else fresh[name])
    with pytest.raises(UserError, match="does not fit"):
        take_over(second.model, str(tmp_path / "best.pt"), ["no such part"])


@pytest.mark.parametrize(("experiment", "name"), [("learned_tough", "learned_tough"), ("hidden", "hidden")])
def test_a_run_can_begin_with_weights_that_ship(experiment, name, tmp_path):
    words = [f"experiment={experiment}", f"output={tmp_path}", "start_parts=['']", "photos.side=128"]
    model = make_trainer(composed(*words, f"start={name}")).model.state_dict()
    with safe_open(WEIGHTS / f"{name}.safetensors", "pt") as file:
        for part in file.keys():  # noqa: SIM118 - no dict
            held = next(value for own, value in model.items() if own in (f"core.{part}", f"pair.{part}"))
            assert torch.equal(held, file.get_tensor(part).to(held.dtype))


@pytest.mark.parametrize("start", ["nothing", "none.pt", "none.safetensors"])
def test_a_start_that_is_not_there_is_named(start, tmp_path):
    with pytest.raises(UserError, match=f"^start: expected a checkpoint.*{start}"):
        make_trainer(composed("experiment=learned", f"output={tmp_path}", f"start={start}"))


@pytest.mark.slow
def test_a_short_training_on_bundled_photographs_beats_its_untrained_start(tmp_path, caplog):
    """Median z over the attacks of the examination must grow by 5 %; measured margins are in the model card."""
    caplog.set_level(logging.INFO)
    torch.set_num_threads(1)
    config = composed(
        "experiment=learned",
        f"output={tmp_path}",
        "photos.side=192",
        "schedule.steps=40",
        "schedule.warmup=5",
        "schedule.batch=4",
        "schedule.decay=0.8",
        "validation.limit=1",
        "validation.need=30",
        "curriculum.ramp=10",
    )
    trainer = make_trainer(config)
    device = trainer.processes.device
    _, before, _ = trainer.validation(trainer.model, device)
    trainer._examine = lambda journal: None
    trainer.run()
    _, after, _ = trainer.validation(trainer.average.module, device)
    gains = [math.log(after[name]["z_median"] / before[name]["z_median"]) for name in before if "jpeg_10" not in name]
    assert math.exp(sum(gains) / len(gains)) > 1.03
