from pathlib import Path

import pytest
from identity_fakes import FAKE_CODE, KEY_ID, FakeMarker, draw

from watermark.identity import Candidate
from watermark.registry import Registry, Slot


@pytest.fixture
def marker():
    return FakeMarker()


@pytest.fixture
def candidates(marker):
    return [Candidate(marker, (KEY_ID,), "fake", "l64")]


@pytest.fixture
def registry(tmp_path):
    opened = Registry(tmp_path / "registry.db", b"registry key")
    opened.add_slot(Slot(7, FAKE_CODE, KEY_ID, "fake", "1", "l64", 40))
    yield opened
    opened.close()


@pytest.fixture
def source(tmp_path) -> Path:
    draw(1).save(tmp_path / "in.png")
    return tmp_path / "in.png"
