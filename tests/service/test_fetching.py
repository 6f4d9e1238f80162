"""Addresses that strangers give: HTTPS only, public addresses only, after every redirect too, of bounded size."""

import asyncio
import http.server
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest

x509 = pytest.importorskip("cryptography.x509")
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

from watermark.service import fetching  # noqa: E402
from watermark.service.fetching import Fetcher, is_public  # noqa: E402
from watermark.service.problems import ProblemError  # noqa: E402

PICTURE = b"a picture, for all that is known here"


HOUSES = """
127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 192.0.2.1
::1 :: fe80::1 fc00::1 ff02::1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 64:ff9b::7f00:1 64:ff9b::a00:1 2002:7f00:1:: 2001:db8::1
::127.0.0.1 64:ff9b:1::7f00:1 nonsense
"""


@pytest.mark.parametrize("address", HOUSES.split())
def test_an_address_of_a_house_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_an_address_of_the_open_internet_is(address):
    assert is_public(address)


OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
RAW = {
    "nowhere": b"HTTP/1.1 302 Found\r\n\r\n",
    "not-modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "no-port": b"HTTP/1.1 302 Found\r\nLocation: https://pictures.example:99999/\r\n\r\n",
    "half-address": b"HTTP/1.1 302 Found\r\nLocation: https://[::1\r\n\r\n",
    "wild-address": b"HTTP/1.1 302 Found\r\nLocation: https://\xff\xfe\xed\xa0\x80/\r\n\r\n",
    "long-address": b"HTTP/1.1 302 Found\r\nLocation: https://" + b"a." * 4000 + b"\r\n\r\n",
    "status": b"HTTP/1.1 999 ?\r\n\r\n",
    "no-status": b"HTTP/1.1 abc\r\n\r\n",
    "nothing": b"",
    "length": OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "negative": OK + b"Content-Length: -5\r\n\r\nxxxxx",
    "two-lengths": OK + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nxxxxx",
    "chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFFFF\r\nx",
    "headers": OK + b"".join(b"X-%d: y\r\n" % i for i in range(20_000)) + b"\r\n",
    "early": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2000,
    "upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    "cut": OK + b"Content-Length: 500\r\n\r\nxx",
    "bytes-in-type": b"HTTP/1.1 200 OK\r\nContent-Type: \xff\xed\r\n\r\nx",
}
"""What no server should answer."""


class Site(http.server.BaseHTTPRequestHandler):
    """What a stranger's server may do."""

    def do_GET(self):
        if self.path.startswith("/raw/"):
            self.wfile.write(RAW[self.path.removeprefix("/raw/")])
            self.close_connection = True
            return
        status, headers, body = {
            "/picture": (200, {"Content-Type": "image/png"}, PICTURE),
            "/page": (200, {"Content-Type": "text/html"}, b"<html>"),
            "/huge": (200, {"Content-Type": "image/png", "Content-Length": "99999999999"}, b""),
            "/endless": (200, {"Content-Type": "image/png"}, b"x" * 5000),
            "/bomb": (200, {"Content-Type": "image/png", "Content-Encoding": "gzip"}, b"x"),
            "/on": (302, {"Location": "/picture"}, b""),
            "/inside": (302, {"Location": "https://inside.example/picture"}, b""),
            "/plain": (302, {"Location": "http://pictures.example/picture"}, b""),
            "/round": (302, {"Location": "/round"}, b""),
        }.get(self.path, (404, {}, b""))
        assert self.headers["Host"] == "pictures.example"
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def fetcher(tmp_path_factory):
    """A fetcher for whom ``pictures.example`` is a server here, and ``inside.example`` a private address."""
    folder = tmp_path_factory.mktemp("site")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "pictures.example")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("pictures.example")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "site.pem").write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "site.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hosts = {"pictures.example": ["127.0.0.1"], "inside.example": ["10.0.0.1"], "wrong.example": ["127.0.0.1"]}
    hosts["both.example"] = ["127.0.0.1", "10.0.0.1"]

    async def resolve(host, _port):
        return hosts.get(host, [host])

    trusting = ssl.create_default_context(cafile=folder / "site.pem")
    yield Fetcher(resolve, lambda address: address == "127.0.0.1", server.server_port, trusting)
    server.shutdown()


def test_name_servers_that_never_answer_hold_up_no_other_work(monkeypatch):
    waiting = threading.Event()
    monkeypatch.setattr(fetching.socket, "getaddrinfo", lambda *_, **__: waiting.wait(20) and [])

    async def asked():
        names = [asyncio.ensure_future(fetching.resolve(f"{number}.example", 443)) for number in range(64)]
        await asyncio.sleep(0.1)
        try:
            return await asyncio.wait_for(asyncio.to_thread(lambda: "done"), 10)
        finally:
            waiting.set()
            await asyncio.gather(*names)

    assert asyncio.run(asked()) == "done"


def fetch(fetcher, url, limit=1000):
    return asyncio.run(fetcher.fetch(url, limit))


@pytest.mark.parametrize("path", ["picture", "on", "picture#part"])
def test_a_picture_is_fetched_and_a_redirect_followed(fetcher, path):
    assert fetch(fetcher, f"https://pictures.example/{path}") == PICTURE


@pytest.mark.parametrize(
    ("status", "url"),
    [
        (400, "http://pictures.example/picture"),
        (400, "https://pictures.example:8080/picture"),
        (400, "https://me:secret@pictures.example/picture"),
        (400, "https://inside.example/picture"),
        (400, "https://both.example/picture"),
        (400, "https://10.0.0.1/picture"),
        (400, "https://[::1]/picture"),
        (400, "https://2130706433:443/picture"),
        (400, "https://"),
        (400, "file:///etc/passwd"),
        (400, "https://pictures.example/" + "x" * 3000),
        (400, "https://pictures.example/inside"),
        (400, "https://pictures.example/plain"),
        (422, "https://pictures.example/round"),
        (422, "https://pictures.example/missing"),
        (422, "https://wrong.example/picture"),  # its certificate is another name's
        (422, "https://\x00/"),
        (415, "https://pictures.example/page"),
        (415, "https://pictures.example/bomb"),
        (413, "https://pictures.example/huge"),
        (413, "https://pictures.example/endless"),
    ],
)
def test_what_is_not_to_be_fetched_is_refused(fetcher, status, url):
    with pytest.raises(ProblemError) as refused:
        fetch(fetcher, url)
    assert refused.value.status == status


@pytest.mark.parametrize("name", RAW)
def test_whatever_a_server_answers_is_a_problem_that_is_told(fetcher, name):
    with pytest.raises(ProblemError) as raised:
        fetch(fetcher, f"https://pictures.example/raw/{name}")
    assert raised.value.status in (400, 413, 415, 422)


def test_a_service_fetches_for_who_asks(fetcher, ask, world):
    client = ask(fetcher=fetcher)
    assert client.post("/v1/trace", json={"url": "https://pictures.example/picture"}).status_code == 415
    assert client.post("/v1/trace", json={"url": 7}).status_code == 400
    assert client.post("/v1/trace", json={"url": "https://inside.example/"}).json()["title"] == "bad-address"
