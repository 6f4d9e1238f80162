"""Workers that cost nothing: they copy pictures, and die when they are told to."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import pyarrow as pa

from watermark.errors import UserError
from watermark.pipeline import Job, plan, shards, sources, store
from watermark.pipeline.shards import Clock, Done

SCHEMA = pa.schema([("uri", pa.string()), ("content", pa.string()), ("error", pa.string())])
SIZE = 2


class Copier:
    """Writes the pictures of a shard one after the other into a tar.

    Args:
        target: the folder to fill.
        deadly: shards at which the process is killed, each once.
        seconds: that a shard takes.
        refused: a shard that cannot be made at all.
        deaths: a folder that remembers who died; None: ``deaths`` beside the target.
        nodes: of a Ray cluster that are to have begun before the first shard is made.
    """

    def __init__(self, target, deadly=(), seconds=0.0, refused=None, deaths=None, nodes=0):
        self.target, self.deadly, self.seconds, self.refused, self.nodes = target, deadly, seconds, refused, nodes
        self.deaths = deaths or Path(target.path).parent / "deaths"

    def __call__(self, number):
        clock, rows = Clock(), []
        self.meet()
        time.sleep(self.seconds)
        if number == self.refused:
            raise UserError("the registry's database is gone")
        with store.staged(self.target / f"{plan.shard_name(number)}.tar") as file:
            for one in plan.part(self.target, number):
                file.write(store.read(store.Place.of(one.entry.uri)))
                rows.append({"uri": one.entry.uri, "content": str(one.index)})
                died = self.deaths / str(number)
                if number in self.deadly and not died.exists():
                    died.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
        done = Done(number, len(rows), 0, 0, "", *clock.read())
        return shards.finish(self.target, done, rows, SCHEMA, beside_tar=True)

    def meet(self):
        """Say on which node of Ray's cluster this is, and wait until there are as many as are to work together."""
        if self.nodes:
            import ray

            (self.deaths / f"{ray.get_runtime_context().get_node_id()}.node").touch()
            while len(list(self.deaths.glob("*.node"))) < self.nodes:
                time.sleep(0.05)


def reserve(slot, count):
    return 100, 100 + count


def job(folder, **worker):
    """Copy ``folder/photos`` to ``folder/out``."""
    target = store.Place.of(str(folder / "out"))
    (folder / "deaths").mkdir(exist_ok=True)
    settings = {"source": str(folder / "photos"), "shard_size": SIZE}
    listed = partial(sources.entries, store.Place.of(settings["source"]))
    return Job(target, settings, listed, reserve, partial(Copier, target, **worker), SIZE, tars=True)


def contents(folder):
    """Everything that a run is to write the same every time; a hidden file of a worker killed just now goes later."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("_stats.json") and not path.name.startswith(".")
    }
