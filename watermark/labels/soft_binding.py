"""Let a C2PA manifest point at the mark: the soft-binding assertion.

Written to C2PA 2.2, section 18.10.2. A soft binding helps to find a manifest again; it must not stand in for the hard
binding, and no entry of this toolkit is in the published list.
"""

import re
from typing import TYPE_CHECKING, Any

from watermark.errors import UserError

if TYPE_CHECKING:  # the names alone need no torch
    from watermark.codec.payload import Layout, Payload

ASSERTION = "c2pa.soft-binding"
_ALGORITHM = re.compile(r"[a-z0-9_-]+(\.[A-Za-z0-9_-]+){2,}")


def algorithm_name(owner: str, scheme: str, version: str) -> str:
    """A reverse-domain name; every version of an algorithm is one of its own.

    Args:
        owner: a domain that you hold, reversed, for instance ``org.example``.
        scheme: scheme name.
        version: version of the scheme's mark.
    """
    name = f"{owner}.{scheme}.{version}"
    if not _ALGORITHM.fullmatch(name):
        raise UserError(
            f"expected a reversed domain, a scheme and a version such as org.example.tile_spread.1, got {name}"
        )
    return name


def soft_binding_assertion(algorithm: str, layout: "Layout", payload: "Payload") -> dict[str, Any]:
    """The data of a ``c2pa.soft-binding`` assertion over the whole picture.

    ``value`` is ``<free bits>*<bits>``: the bits of version, provider and content ID, most significant first, as
    TrustMark's published example writes schema, star and bits. Check bits follow from these and stay in the pixels.
    """
    layout.validate(payload)
    number = (payload.version << layout.provider_bits | payload.provider_id) << layout.content_bits | payload.content_id
    value = f"{layout.free_bits}*{number:0{layout.free_bits}b}"
    return {"alg": algorithm, "blocks": [{"scope": {}, "value": value}], "pad": ""}


def payload_of(assertion: dict[str, Any], layout: "Layout") -> "Payload":
    """The payload that an assertion of this toolkit names.

    Raises:
        UserError: the assertion's value has another shape or width.
    """
    from watermark.codec.payload import Payload

    value = str(assertion.get("blocks", [{}])[0].get("value", ""))
    width, _, bits = value.partition("*")
    if width != str(layout.free_bits) or not re.fullmatch(f"[01]{{{layout.free_bits}}}", bits):
        raise UserError(f"expected a soft-binding value of {layout.free_bits} bits, got {value[:80]!r}")
    number = int(bits, 2)
    content = number & (1 << layout.content_bits) - 1
    provider = number >> layout.content_bits & (1 << layout.provider_bits) - 1
    return Payload(provider, content, number >> layout.content_bits + layout.provider_bits)
