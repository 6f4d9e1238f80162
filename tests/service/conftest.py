import importlib.util
import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from watermark.identity import Request, issue
from watermark.identity.markers import marker_for
from watermark.keystore import KeyFile
from watermark.localization import Localization
from watermark.registry import Registry, Slot

collect_ignore_glob = [] if importlib.util.find_spec("fastapi") else ["test_*.py"]  # needs the extra serve
FAKE_CODE = "0011" + "0" * 18 + "10001"  # 18 zeros name nobody


@dataclass
class World:
    """A key, a registry with one issued picture, and files to ask about."""

    folder: Path
    key_file: Path
    registry: str
    record: object
    marked: bytes
    bare: bytes  # the same pixels without metadata
    plain: bytes
    key: KeyFile


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    key = KeyFile.new()
    key.save(folder / "key.json")
    registry = Registry(folder / "registry.db", key.registry_key)
    slot = Slot(7, FAKE_CODE, key.key_id, "dwt_dct", "2", "l64", 40)
    registry.add_slot(slot)
    Image.fromarray(data.astronaut()[:256, :256]).save(folder / "in.png")
    Image.fromarray(data.coffee()[:256, :256]).save(folder / "plain.png")
    request = Request(folder / "in.png", folder / "out.png", 7, draw_visible=False)
    record = issue(request, registry, marker_for(slot, key), key.key_id)
    bare = io.BytesIO()
    Image.open(folder / "out.png").convert("RGB").save(bare, "PNG")
    files = (folder / "out.png").read_bytes(), bare.getvalue(), (folder / "plain.png").read_bytes()
    yield World(folder, folder / "key.json", str(folder / "registry.db"), record, *files, key)
    registry.close()


@pytest.fixture(scope="session")
def examiners(world):
    """The real examiner, for strangers and for the owner, in this process."""
    from watermark.service.examiner import Examiner

    return {
        public: Examiner(world.registry, [str(world.key_file)], None, public, 1e-6, 1e-4) for public in (True, False)
    }


@pytest.fixture
def mapped(examiners, monkeypatch):
    """The owner's examiner, whose scheme finds the right half of every picture edited."""

    class Halves:
        def __init__(self, finder):
            self.detect = finder.detect

        def locate(self, image):
            where = Localization.nowhere((image.height, image.width), 0.01, self.detect(image))
            right = np.indices(where.marked.shape)[1] >= image.width // 2
            return replace(where, marked=~right, edited=right, unknown=np.zeros_like(right))

    candidates = [replace(one, finder=Halves(one.finder)) for one in examiners[False].candidates]
    monkeypatch.setattr(examiners[False], "candidates", candidates)
    return examiners[False]


@pytest.fixture
def ask(world, examiners):
    """A client of an application that answers in this process; settings as named."""
    from service_fakes import InlinePool
    from starlette.testclient import TestClient

    from watermark.service.app import make_app
    from watermark.service.settings import Settings

    opened = []

    def make(fetcher=None, pool=None, client=("192.0.2.1", 1234), **settings):
        said = Settings(registry=world.registry, key_files=(world.key_file,), workers=1)
        said = replace(said, **{"public": True, **settings})
        app = make_app(said, pool or InlinePool(examiners[said.public]), fetcher)
        opened.append(TestClient(app, "http://localhost", client=client, raise_server_exceptions=False))
        return opened[-1].__enter__()

    yield make
    for client in opened:
        client.__exit__(None, None, None)
