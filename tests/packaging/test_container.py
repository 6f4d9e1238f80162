"""Dockerfile and compose file, without docker: what they promise, and what they name in this repository."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from watermark.cli import _parser

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def instructions(name):
    return [line.split(maxsplit=1)[1] for line in DOCKERFILE.splitlines() if line.startswith(f"{name} ")]


def test_it_runs_as_nobody_in_particular_on_a_pinned_image():
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instructions("USER")[-1])
    assert DOCKERFILE.rindex("USER ") > DOCKERFILE.rindex("COPY ")
    assert all(re.match(r"\S+:\d", image) for image in instructions("FROM"))
    assert instructions("HEALTHCHECK")


def test_what_is_copied_is_there_and_not_ignored():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for words in map(shlex.split, instructions("COPY")):
        if not words[0].startswith("--from"):
            assert all((ROOT / name).exists() for name in words[:-1])
            assert set(words[:-1]) <= kept


def test_the_wheel_in_the_image_has_its_extras():
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = re.search(r'"\.\[(.*)\]"', DOCKERFILE)[1].split(",")
    assert set(asked) <= set(extras)


@pytest.mark.parametrize("words", [json.loads(instructions("CMD")[-1]), COMPOSE["services"]["serve"]["command"]])
def test_the_command_is_one_that_the_program_takes(words):
    args = _parser(words).parse_args(words)
    assert args.public
    assert args.host == "0.0.0.0"


def test_the_service_can_write_nothing_and_has_no_privileges():
    for name in ("db", "serve"):
        service = COMPOSE["services"][name]
        assert service["read_only"] is True
        assert "no-new-privileges:true" in service["security_opt"]
    serve = COMPOSE["services"]["serve"]
    assert serve["cap_drop"] == ["ALL"]
    assert "./keys:/keys:ro" in serve["volumes"]
    assert all(port.startswith("127.0.0.1:") for port in serve["ports"])
    assert "privileged" not in json.dumps(COMPOSE)
    seconds = int(serve["stop_grace_period"].removesuffix("s"))
    assert seconds >= 20 + 30  # the time limit and an upload: a stop finishes what is under way
