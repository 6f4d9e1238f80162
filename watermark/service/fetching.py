"""Fetch a picture from an address that a stranger gave, without being led into our own network.

HTTPS on its usual port only. The name is resolved here, every address it stands for must be a public one, and the
connection goes to the address that was checked: another answer of the name server a moment later changes nothing.
Each redirect is a new address and goes through the same. The certificate must be the name's.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx

from watermark.service.problems import ProblemError

REDIRECTS = 3
MAX_URL = 2048
_NAMES = ThreadPoolExecutor(32, "names")
"""Apart from what else is done in threads: a stranger's name server may let a question wait for half a minute."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, as the system resolves it."""
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_NAMES, ask)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """Whether an IP address lies in the open internet, whatever it is wrapped in."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(str(wrapped))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


class Fetcher:
    """Fetches pictures.

    Args:
        resolve: from a name to its addresses.
        allowed: which addresses may be connected to.
        port: the only one that is connected to.
        context: whom to believe; None for the usual certificate authorities.
    """

    def __init__(
        self,
        resolve: Resolve = resolve,
        allowed: Callable[[str], bool] = is_public,
        port: int = 443,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._resolve, self._allowed, self._port = resolve, allowed, port
        self._context = context or ssl.create_default_context()

    async def fetch(self, url: str, max_bytes: int, media_type: str = "image/") -> bytes:
        """The content behind ``url``.

        Args:
            url: ``https://...``.
            max_bytes: more is refused, as soon as it is known.
            media_type: with what the answer's content type must begin.

        Raises:
            ProblemError: 400 not an address to take, 413 too large, 415 another media type, 422 it could not be had.
        """
        try:
            async with httpx.AsyncClient(
                verify=self._context, trust_env=False, follow_redirects=False, timeout=10.0
            ) as client:
                for _ in range(REDIRECTS + 1):
                    answer = await self._once(client, url, max_bytes, media_type)
                    if isinstance(answer, bytes):
                        return answer
                    url = answer
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError):  # what exactly is not for strangers
            raise ProblemError(422, "not-fetched", "the address could not be fetched") from None
        raise ProblemError(422, "not-fetched", f"the address leads on more than {REDIRECTS} times")

    async def _once(self, client: httpx.AsyncClient, url: str, max_bytes: int, media_type: str) -> bytes | str:
        """The content, or the address that it leads on to."""
        response = await client.send(await self._request(client, url), stream=True)
        try:
            if response.has_redirect_location:
                return str(httpx.URL(url).join(response.headers["location"]))
            _check(response, max_bytes, media_type)
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > max_bytes:
                    raise _too_large(max_bytes)
            return bytes(body)
        finally:
            await response.aclose()

    async def _request(self, client: httpx.AsyncClient, url: str) -> httpx.Request:
        """A request to the checked address that asks for the name's page and wants the name's certificate."""
        parsed = httpx.URL(url) if len(url) <= MAX_URL else httpx.URL()
        host = parsed.raw_host.decode("ascii")
        if parsed.scheme != "https" or not host or parsed.userinfo or (parsed.port or 443) != 443:
            raise ProblemError(400, "bad-address", "expected an address https://name/... without port or password")
        addresses = await self._resolve(host.strip("[]"), self._port)
        if not addresses or not all(self._allowed(address) for address in addresses):
            raise ProblemError(400, "bad-address", "this address does not lie in the open internet")
        address = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
        return client.build_request(
            "GET",
            parsed.copy_with(netloc=f"{address}:{self._port}".encode(), fragment=None),
            headers={
                "Host": host,
                "Accept": "image/*",
                "Accept-Encoding": "identity",
                "User-Agent": "robust-watermark",
            },
            extensions={"sni_hostname": host},
        )


def _check(response: httpx.Response, max_bytes: int, media_type: str) -> None:
    if response.status_code != 200:
        raise ProblemError(422, "not-fetched", f"the address answered with status {response.status_code}")
    if not response.headers.get("content-type", "").lower().startswith(media_type):
        raise ProblemError(415, "unsupported-media-type", "the address does not lead to a picture")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ProblemError(415, "unsupported-media-type", "the address answers compressed, which was not asked for")
    length = response.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> ProblemError:
    return ProblemError(413, "too-large", f"expected at most {max_bytes:,} bytes")
