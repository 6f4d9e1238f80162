"""Clients that open connections and ask nothing, or ask so slowly that it never ends."""

import asyncio
import contextlib
import socket

import uvicorn

from watermark.service import connections


async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


def served(ask, monkeypatch, seconds=0.2):
    """What ``ask(host, port)`` gives, in front of an application that answers ok."""
    monkeypatch.setattr(connections, "HEADER_SECONDS", seconds)

    async def run():
        sock = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(app, http=connections.Impatient, ws="none", lifespan="off", log_config=None)
        )
        serving = asyncio.ensure_future(server.serve(sockets=[sock]))
        try:
            return await asyncio.wait_for(ask(*sock.getsockname()), 30)
        finally:
            server.should_exit = True
            await serving

    return asyncio.run(run())


ASKED = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def test_who_asks_nothing_is_hung_up_on(monkeypatch):
    async def ask(host, port):
        reader, writer = await asyncio.open_connection(host, port)
        said = await reader.read()
        writer.close()
        return said

    assert served(ask, monkeypatch) == b""


def test_headers_that_drip_are_not_waited_for_and_a_first_answer_buys_no_time(monkeypatch):
    async def ask(host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(ASKED)
        await reader.readuntil(b"ok")
        writer.write(ASKED[:20])
        with contextlib.suppress(ConnectionError):
            for _ in range(600):  # 12 s at least
                writer.write(b"X: y\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
            return "it waited"
        return "it hung up"

    assert served(ask, monkeypatch) == "it hung up"


def test_who_asks_again_in_time_is_answered(monkeypatch):
    async def ask(host, port):
        reader, writer = await asyncio.open_connection(host, port)
        said = []
        for _ in range(8):
            writer.write(ASKED)
            said.append((await reader.readuntil(b"ok"))[:15])
            await asyncio.sleep(0.3)
        writer.close()
        return said

    assert served(ask, monkeypatch, seconds=0.5) == [b"HTTP/1.1 200 OK"] * 8
