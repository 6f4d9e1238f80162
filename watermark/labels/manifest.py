"""A signed C2PA manifest in a released file, bound to the mark in its pixels, by which it is found again.

Signing is c2pa-python's (extra ``c2pa``); the certificate is yours. A soft binding finds a manifest, it does not prove
that a picture is unchanged: the manifest's own hard binding does.
"""

import io
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import watermark
from watermark.errors import UserError
from watermark.files import read_regular
from watermark.labels.soft_binding import ASSERTION
from watermark.shown import reason, shown

ALGORITHMS = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")
MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}
MOST_PEM = 2**20
"""Bytes of a file of certificates or of a key."""
GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


@dataclass(frozen=True)
class Credentials:
    """Who signs.

    Attributes:
        certificates: PEM, the signer's first.
        key: its private key, PEM.
        algorithm: one of ``ALGORITHMS``.
        owner: your domain, reversed, under which the mark's algorithm is named: ``org.example``.
    """

    certificates: bytes
    key: bytes = field(repr=False)
    algorithm: str
    owner: str

    @classmethod
    def load(cls, certificates: Path, key: Path, algorithm: str, owner: str) -> "Credentials":
        """From two PEM files.

        Raises:
            UserError: one of them cannot be read, or others may read the key.
        """

        def refuse_loose(facts: os.stat_result) -> None:
            if facts.st_mode & 0o077:
                raise UserError(f"{shown(key)}: others may read this key; run: chmod 600 {shown(key)}")

        return cls(read_regular(certificates, MOST_PEM), read_regular(key, MOST_PEM, refuse_loose), algorithm, owner)


@dataclass(frozen=True)
class Signed:
    """A file with its manifest.

    Attributes:
        content: the file.
        manifest: the manifest store that is in it.
        manifest_id: of the active manifest.
    """

    content: bytes
    manifest: bytes
    manifest_id: str


def sign(content: bytes, suffix: str, binding: dict[str, Any], credentials: Credentials) -> Signed:
    """Put a manifest into a file of an AI-generated picture.

    Args:
        content: the finished file; its pixels stay.
        suffix: its format, a key of ``MEDIA_TYPES``.
        binding: from ``soft_binding_assertion``.
        credentials: who signs.

    Raises:
        UserError: c2pa-python is not installed, or refuses certificate, key or file.
    """
    try:
        import c2pa
    except ImportError:
        raise UserError("a manifest needs the package c2pa-python: pip install 'robust-watermark[c2pa]'") from None
    media_type, signed = MEDIA_TYPES[suffix.lower()], io.BytesIO()
    try:
        info = c2pa.C2paSignerInfo(
            alg=c2pa.C2paSigningAlg[credentials.algorithm.upper()],
            sign_cert=credentials.certificates,
            private_key=credentials.key,
            ta_url=None,
        )
        with c2pa.Builder(json.dumps(_claims(binding))) as builder:
            manifest = builder.sign(c2pa.Signer.from_info(info), media_type, io.BytesIO(content), signed)
        with c2pa.Reader(media_type, signed) as reader:
            manifest_id = json.loads(reader.json())["active_manifest"]
    except c2pa.C2paError as error:
        raise UserError(f"the manifest could not be signed ({reason(error, 200)})") from None
    return Signed(signed.getvalue(), bytes(manifest), manifest_id)


def _claims(binding: dict[str, Any]) -> dict[str, Any]:
    created = {"action": "c2pa.created", "digitalSourceType": GENERATED}
    actions = {"actions": [created, {"action": "c2pa.watermarked.bound"}]}
    return {
        "claim_generator_info": [{"name": "robust-watermark", "version": watermark.__version__}],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": actions},
            {"label": ASSERTION, "data": binding},
        ],
    }
