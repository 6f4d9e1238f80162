import os
import socket

import pytest
import torch
import torch.multiprocessing as multiprocessing
from tiny_trainer import tiny_trainer

from watermark.training.checkpoint import load
from watermark.training.processes import Processes


def one_gradient(rank):
    """A layer of fixed weights with the gradient of data that only this process has."""
    layer = torch.nn.Linear(3, 2, bias=False)
    torch.nn.init.constant_(layer.weight, 0.5)
    data = torch.rand(4, 3, generator=torch.Generator().manual_seed(rank))
    layer(data).square().sum().backward()
    return layer


def work(rank, world, port, folder):
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = Processes.start("cpu")
    try:
        layer = one_gradient(rank)
        processes.average_gradients(layer)
        torch.save(layer.weight.grad, folder / f"gradient{rank}.pt")
        trainer = tiny_trainer(folder / "run", steps=3, processes=processes)
        trainer.run()
        torch.save(trainer.model.state_dict(), folder / f"{rank}.pt")
    finally:
        processes.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What two processes wrote that trained together."""
    path = tmp_path_factory.mktemp("together")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    multiprocessing.spawn(work, (2, port, path), nprocs=2)
    return path


@pytest.mark.slow
def test_gradients_of_two_processes_become_their_mean(folder):
    wanted = (one_gradient(0).weight.grad + one_gradient(1).weight.grad) / 2
    for rank in (0, 1):
        torch.testing.assert_close(torch.load(folder / f"gradient{rank}.pt", weights_only=True), wanted)


@pytest.mark.slow
def test_two_processes_hold_the_same_weights_and_one_writes(folder, tmp_path):
    first, second = (torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    written = load(folder / "run" / "last.pt")
    assert written["step"] == 3
    assert all(torch.equal(value, first[name]) for name, value in written["model"].items())
    alone = tiny_trainer(tmp_path / "alone", steps=3)
    alone.run()
    moved = [name for name, value in alone.model.state_dict().items() if not torch.equal(value, first[name])]
    assert moved  # the second process brought pictures of its own


def test_one_process_keeps_its_gradients():
    single = Processes(0, 1, torch.device("cpu"))
    layer = torch.nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    before = layer.weight.grad.clone()
    single.average_gradients(layer)
    assert torch.equal(layer.weight.grad, before)
    assert single.gather(3) == [3]
