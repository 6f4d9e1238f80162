import pytest
from registry_fakes import Clock, make_slot

from watermark.registry import Registry


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def registry(tmp_path, clock):
    opened = Registry(tmp_path / "registry.db", b"registry key", clock)
    opened.add_slot(make_slot())
    yield opened
    opened.close()
