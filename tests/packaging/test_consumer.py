"""What somebody else builds on the public names: it runs; ``.ci/run`` has ``mypy --strict`` read it."""

from pathlib import Path

import watermark
from tests.packaging.consumer.project import main

PROJECT = Path(__file__).parent / "consumer" / "project.py"


def test_a_program_on_the_public_names_does_what_it_should(tmp_path):
    assert all(main(tmp_path))


def test_it_uses_every_public_name():
    text = PROJECT.read_text()
    assert all(name in text for name in watermark.__all__)
