"""`watermark serve` as a user starts it: a process of its own, asked over HTTP, stopped by a signal."""

import importlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from watermark.cli import main

PNG = {"content-type": "image/png"}
WATERMARK = str(Path(sys.executable).with_name("watermark"))


@pytest.fixture(scope="module")
def served(world, tmp_path_factory):
    """Address, process and folder of a public service."""
    folder = tmp_path_factory.mktemp("served")
    words = ["serve", "--registry", world.registry, "--key-file", str(world.key_file), "--public", "--port", "0"]
    words += ["--workers", "1", "--rate", "0", "--journal", str(folder / "journal")]
    words += ["--fetch", "no"]  # openapi-python-client 0.29 errs on a route that takes JSON besides a form
    environment = os.environ | {"TMPDIR": str(folder)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([WATERMARK, *words], stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    line = process.stdout.readline()
    assert line.startswith("serving http://127.0.0.1:"), (folder / "log").read_text()
    yield line.split()[1], process, folder
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def client(served, tmp_path_factory):
    """The package that openapi-python-client makes of the served document."""
    generate = pytest.importorskip("openapi_python_client", reason="needs the dev dependency openapi-python-client")
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_text(httpx.get(f"{served[0]}/openapi.json").text)
    words = ["generate", "--path", "openapi.json", "--meta", "none", "--output-path", str(folder / "made_client")]
    command = [sys.executable, "-m", generate.__name__, *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert "error" not in done.stdout.lower()
    sys.path.insert(0, str(folder))
    yield importlib.import_module("made_client")
    sys.path.remove(str(folder))


def test_a_generated_client_asks_and_understands(served, client, world):
    api, types = (importlib.import_module(f"made_client.{name}") for name in ("api.default", "types"))
    trace = importlib.import_module(f"{api.__name__}.trace")
    form = importlib.import_module("made_client.models").TraceFilesPictureForm
    with client.Client(served[0]) as opened:
        body = form(file=types.File(io.BytesIO(world.bare), "x.png", "image/png"))
        said = trace.sync(client=opened, body=body)
        assert (said.answer.value, said.number) == ("match", world.record.produce_id)
        refused = trace.sync_detailed(client=opened, body=form(file=types.File(io.BytesIO(b"x"), "x.png", "image/png")))
        assert (refused.status_code, refused.parsed.title) == (415, "unsupported-media-type")
        about = importlib.import_module(f"{api.__name__}.about").sync(client=opened)
        assert about.public is True


def test_a_picture_whose_client_hung_up_in_the_queue_is_not_looked_at(served, world):
    address, _, folder = served
    began = sum(json.loads(line)["event"] == "request" for line in (folder / "log").read_text().splitlines())
    host, port = address.removeprefix("http://").split(":")
    head = (
        f"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(world.plain)}\r\n\r\n"
    )
    opened = [socket.create_connection((host, int(port))) for _ in range(8)]
    for one in opened:
        one.sendall(head.encode() + world.plain)
    for one in opened:
        one.close()
    deadline, statuses = time.monotonic() + 60, []
    while len(statuses) < 8 and time.monotonic() < deadline:
        time.sleep(0.1)
        lines = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
        statuses = [line["status"] for line in lines if line["event"] == "request"][began:]
    assert len(statuses) == 8
    assert statuses.count(499) >= 5
    answered = [json.loads(line) for path in (folder / "journal").iterdir() for line in path.read_text().splitlines()]
    assert sum(line["kind"] == "detect" for line in answered) == statuses.count(200)


def test_a_graceful_stop_answers_what_is_under_way_and_keeps_nothing_of_it(served, world):
    address, process, folder = served
    said = []

    def slow_upload():
        yield world.bare[:1000]
        time.sleep(1.0)  # SIGTERM comes in here
        yield world.bare[1000:]

    asking = threading.Thread(
        target=lambda: said.append(httpx.post(f"{address}/v1/trace", content=slow_upload(), headers=PNG, timeout=60))
    )
    asking.start()
    time.sleep(0.4)
    process.send_signal(signal.SIGTERM)
    asking.join()
    assert said[0].json()["answer"] == "match"
    assert process.wait(30) == 0
    lines = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
    assert [line["route"] for line in lines if line["event"] == "request"][-1] == "/v1/trace"
    kept = (folder / "log").read_text() + "".join(path.read_text() for path in (folder / "journal").iterdir())
    for secret in (str(world.record.content_id), world.record.produce_id, world.key.key_id, "127.0.0.1"):
        assert secret not in kept
    held = {path.name for path in folder.iterdir()}  # TMPDIR too: an upload would have been put here
    assert {name for name in held if not name.startswith("pymp-")} == {"log", "journal"}


def refused(words, capsys):
    assert main(["serve", *words]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_what_is_in_the_way_is_one_line(world, tmp_path, capsys):
    key, registry = ["--key-file", str(world.key_file)], ["--registry", world.registry]
    assert "expected a key" in refused(registry, capsys)
    assert "expected a folder" in refused([*registry, "--keyring", str(tmp_path / "gone")], capsys)
    assert "--queue: expected at least 1, got 0" in refused([*registry, *key, "--queue", "0"], capsys)
    assert "say --public or --token-file" in refused([*registry, *key, "--host", "0.0.0.0"], capsys)
    short = tmp_path / "token"
    short.write_text("short")
    assert "others may read" in refused([*registry, *key, "--token-file", str(short)], capsys)
    short.chmod(0o600)
    assert "at least 16" in refused([*registry, *key, "--token-file", str(short)], capsys)
    assert "cannot listen there" in refused([*registry, *key, "--host", "192.0.2.1", "--public"], capsys)
    assert "no registry at" in refused(["--registry", str(tmp_path / "gone.db"), *key, "--port", "0"], capsys)
