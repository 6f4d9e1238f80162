import json
import os

import pytest
import torch
from tiny_trainer import tiny_trainer
from torch import nn

from watermark.errors import UserError
from watermark.training.checkpoint import load, save_atomically
from watermark.training.loop import Schedule
from watermark.training.processes import Processes


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(tmp_path):
    whole = tiny_trainer(tmp_path / "whole")
    whole.run()
    tiny_trainer(tmp_path / "halves").run(until=3)
    second = tiny_trainer(tmp_path / "halves")
    second.run()
    one, other = load(tmp_path / "whole" / "last.pt"), load(tmp_path / "halves" / "last.pt")
    for state in (one, other):
        state.pop("seconds")
    assert one["step"] == 6
    assert same(one, other)


def test_a_step_changes_weights_average_and_curriculum(tmp_path):
    trainer = tiny_trainer(tmp_path, steps=1)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.run()
    moved = [name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])]
    assert any("whiten" in name for name in moved)
    assert any("amplitude" in name for name in moved)
    assert int(trainer.average.n_averaged) == 2  # the start, and one update
    assert trainer.curriculum.skill != 0.5


def test_the_learning_rate_warms_up_and_falls_on_a_cosine_to_its_floor():
    schedule = Schedule(steps=1000, warmup=10, floor=0.02)
    assert schedule.rate(0) == pytest.approx(0.1, rel=1e-3)
    assert schedule.rate(4) == pytest.approx(0.5, rel=1e-3)
    assert schedule.rate(9) == pytest.approx(1, rel=1e-3)
    assert schedule.rate(500) == pytest.approx(0.02 + 0.98 / 2)
    assert schedule.rate(1000) == pytest.approx(0.02)
    assert Schedule(warmup=0).rate(0) == 1


def test_every_update_is_made_at_the_rate_of_its_step(tmp_path):
    trainer = tiny_trainer(tmp_path, steps=6, warmup=3)
    groups, used = trainer.optimiser.param_groups, []
    trainer.optimiser.register_step_pre_hook(lambda *_: used.append([group["lr"] for group in groups]))
    trainer.run(until=4)
    resumed = tiny_trainer(tmp_path, steps=6, warmup=3)
    resumed.resume()
    assert [rates[0] for rates in used] == pytest.approx([1e-3 * trainer.schedule.rate(step) for step in range(4)])
    assert [rates[1] for rates in used] == pytest.approx([5e-3 * trainer.schedule.rate(step) for step in range(4)])
    assert resumed.optimiser.param_groups[0]["lr"] == pytest.approx(1e-3 * trainer.schedule.rate(4))


class Poison(nn.Module):
    """A loss that turns to NaN after a few calls."""

    def __init__(self, good):
        super().__init__()
        self.good, self.calls = good, 0

    def forward(self, logits, message):
        self.calls += 1
        factor = 1.0 if self.calls <= self.good else float("nan")
        return -(logits * (message.float() * 2 - 1)).mean(1) * factor


def test_nan_leaves_the_last_good_weights(tmp_path):
    trainer = tiny_trainer(tmp_path, steps=50, loss=Poison(3), patience=2, save_seconds=0)
    with pytest.raises(UserError, match="without a finite gradient"):
        trainer.run()
    state = load(tmp_path / "last.pt")
    assert all(bool(value.isfinite().all()) for value in state["model"].values())
    assert int(state["average"]["n_averaged"]) == 4  # the start, and three updates


class OutOfMemory(nn.Module):
    def forward(self, logits, message):
        raise torch.OutOfMemoryError("no room")


def test_running_out_of_memory_is_one_line_and_keeps_the_checkpoint(tmp_path):
    tiny_trainer(tmp_path).run(until=2)
    with pytest.raises(UserError, match="out of memory at step 2"):
        tiny_trainer(tmp_path, loss=OutOfMemory()).run()
    assert load(tmp_path / "last.pt")["step"] == 2


def test_a_kill_while_writing_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "last.pt"
    save_atomically({"step": 1}, path)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        save_atomically({"step": 2}, path)
    assert load(path)["step"] == 1


def test_another_seed_does_not_take_over_a_run(tmp_path):
    tiny_trainer(tmp_path).run(until=1)
    with pytest.raises(UserError, match="begun with seed 0, got seed 1"):
        tiny_trainer(tmp_path, seed=1).run()


def test_figures_are_kept_as_one_record_a_line(tmp_path):
    tiny_trainer(tmp_path, log_every=1).run()
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records if record["kind"] == "train"] == [1, 2, 3, 4, 5, 6]
    assert {"loss", "accuracy", "norm", "layers"} <= records[1].keys()


def test_low_precision_and_compiled_networks_are_only_settings(tmp_path):
    trainer = tiny_trainer(tmp_path, steps=2, precision="bfloat16")
    trainer.run()
    assert trainer.step == 2
    assert trainer.skipped == 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_same_training_runs_on_a_gpu(tmp_path):
    trainer = tiny_trainer(
        tmp_path, steps=2, precision="bfloat16", compile=True, processes=Processes(0, 1, torch.device("cuda"))
    )
    trainer.run()
    assert trainer.step == 2
    assert trainer.skipped == 0


@pytest.mark.parametrize("part", ["model", "optimiser", "average", "curriculum", "noise", "random", "step"])
def test_a_checkpoint_of_something_else_is_one_line(tmp_path, part):
    trainer = tiny_trainer(tmp_path)
    for value in ({"a": 1}, None):
        save_atomically({**trainer.state(), part: value}, tmp_path / "last.pt")
        if part == "noise" and value == {"a": 1}:
            continue  # layers of another name: their running losses begin anew
        with pytest.raises(UserError, match=r"last\.pt: does not fit this training"):
            tiny_trainer(tmp_path).resume()


def test_a_disk_that_is_full_leaves_the_checkpoint_before_and_nothing_else(tmp_path, monkeypatch):
    save_atomically({"step": 1}, tmp_path / "last.pt")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UserError, match=r"last\.pt: cannot be written \(No space left on device\)"):
        save_atomically({"step": 2}, tmp_path / "last.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]
    assert load(tmp_path / "last.pt") == {"step": 1}
