"""Who reaches the demo's port reads no file of this machine and makes it ask nobody."""

import http.server
import threading

import pytest
from PIL import Image

pytest.importorskip("gradio", reason="needs the extra demo")
from starlette.testclient import TestClient

from watermark.demo.app import make_app
from watermark.demo.work import Markers

HERE = "http://127.0.0.1:7860"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def client(own):
    app = make_app(Markers("k"), own, Image.new("RGB", (128, 128), (90, 100, 110)), {"127.0.0.1", "::1", "localhost"})
    with TestClient(app, base_url=HERE, raise_server_exceptions=False) as opened:
        yield opened


def steps(client):
    """Number and inputs of each thing that the page may ask of the server."""
    return [(step["id"], len(step["inputs"])) for step in client.get("/config").json()["dependencies"]]


def given(client, path, **more):
    """Every step of the page, given a file in place of each of its inputs."""
    file = {"path": path, "meta": {"_type": "gradio.FileData"}, **more}
    for number, count in steps(client):
        words = {"fn_index": number, "data": [file] * count, "session_hash": "a"}
        yield client.post("/gradio_api/run/predict", json=words)


@pytest.mark.parametrize("name", ["letter.txt", "picture.png", "drawing.svg"])
def test_a_file_of_this_machine_is_neither_taken_nor_given(client, own, tmp_path, name):
    secret = tmp_path / name
    secret.write_bytes(b"my own letter")
    for answer in given(client, str(secret)):
        assert "my own letter" not in answer.text
    assert not [path for path in own.rglob("*") if path.is_file() and path.read_bytes() == b"my own letter"]
    for address in (f"/gradio_api/file={secret}", f"/gradio_api/file={own}/../{secret}", f"/file={secret}"):
        assert "my own letter" not in client.get(address).text


def test_the_server_fetches_nothing(client):
    asked = []

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{site.server_port}/x.png"
    list(given(client, address, url=address))
    client.get(f"/gradio_api/proxy={address}")
    client.get(f"/gradio_api/file={address}")
    site.shutdown()
    assert not asked


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "", "127.0.0.1.evil.example"])
def test_a_page_whose_name_means_this_machine_is_not_answered(client, host):
    assert client.get("/config", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1", "[::1]:7860"])
def test_this_machine_is_answered(client, host):
    assert client.get("/config", headers={"Host": host}).status_code == 200
