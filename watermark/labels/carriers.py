"""Where labels sit in a picture's metadata: found in every documented place, written in exactly one.

A picture is a PIL image whose ``info`` holds its file's metadata as bytes (``watermark.files.load`` puts it there,
``save`` writes it). The written place is the XMP property; PNG text ``AIGC`` and EXIF texts are read, and cleared when
a label is set, because a file is to carry one label only.
"""

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from watermark import files
from watermark.errors import UserError
from watermark.files import metadata
from watermark.files.containers import tiff
from watermark.files.containers.png import TEXT
from watermark.files.exif import without
from watermark.files.metadata import Metadata
from watermark.labels import xmp
from watermark.labels.aigc import AigcLabel, parse_label

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff"}
_USER_COMMENT, _IMAGE_DESCRIPTION = 0x9286, 0x010E
MAX_LABELS = 100


@dataclass(frozen=True)
class FoundLabel:
    """One label as it was found.

    Attributes:
        carrier: ``xmp``, ``png text``, ``exif UserComment`` or ``exif ImageDescription``.
        label: its values; None where the carrier's text could not be read as a label.
        deviations: what differs from the documented shape, one line each.
        text: as it stands in the file, at most 4,000 characters of it.
    """

    carrier: str
    label: AigcLabel | None
    deviations: tuple[str, ...]
    text: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def read_labels(image: Image.Image) -> list[FoundLabel]:
    """Every AIGC label in a picture's metadata; empty where there is none."""
    image.load()  # PNG text may follow the pixels
    return labels_in(metadata.of(image))


def labels_in(held: Metadata) -> list[FoundLabel]:
    """Every AIGC label in a file's metadata, at most 100; hostile ones are named, never followed."""
    found = []
    if held.xmp:
        try:
            for tag, text in xmp.read_properties(held.xmp):
                extra = [] if tag == xmp.PROPERTY else [f"the property is {tag}, expected {xmp.PROPERTY}"]
                found.append(_found("xmp", text, extra))
        except ValueError as error:
            if b"AIGC" in held.xmp:
                found.append(FoundLabel("xmp", None, (str(error),), held.xmp[:4000].decode("utf-8", "replace")))
    found += [_found("png text", text) for name, text in held.texts_named("AIGC")]
    found += [_found(carrier, text) for carrier, _, text in _exif_texts(held.exif) if _says_label(text)]
    return found[:MAX_LABELS]


def with_label(image: Image.Image, label: AigcLabel) -> Image.Image:
    """A copy whose metadata carries exactly this label, as XMP, beside whatever else it carried.

    Raises:
        UserError: the picture's own XMP cannot be read and would be lost.
    """
    held = metadata.of(image)
    exif = held.exif
    for _, tag, text in _exif_texts(exif):
        if _says_label(text):
            exif = without(exif, tag)
    chunks = tuple(chunk for chunk in held.chunks if chunk.kind not in TEXT or "AIGC" not in chunk.keyword)
    packet = xmp.merge(held.xmp or None, label.to_json())
    return metadata.with_metadata(image.copy(), replace(held, xmp=packet, exif=exif, chunks=chunks))


def encode_with_label(image: Image.Image, path: Path, label: AigcLabel, *, quality: int | None = None) -> files.Encoded:
    """The content of a labelled file, whose label was read back from it.

    Raises:
        UserError: the format has no place for a label, or the content does not hold exactly this label.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"{path}: no place for a metadata label in {path.suffix or 'a file without suffix'}; expected "
            f"one of {' '.join(sorted(SUFFIXES))}"
        )
    encoded = files.encode(with_label(image, label), path, quality)
    found = labels_in(files.metadata_of(encoded.content, path))
    if [one.label for one in found] != [label] or found[0].carrier != "xmp":
        raise UserError(f"{path}: the label did not survive writing ({len(found)} found on reading back)")
    return encoded


def save_with_label(
    image: Image.Image, path: Path, label: AigcLabel, *, overwrite: bool = False, quality: int | None = None
) -> str:
    """Save a labelled copy, whose label was read back from what is written, and return the file's SHA-256.

    Args:
        image: the picture with its metadata.
        path: JPEG, PNG, WebP, AVIF or TIFF by suffix.
        label: what to write.
        overwrite: replace an existing file.
        quality: of the lossy formats; see ``watermark.files.save``.

    Raises:
        UserError: the format has no place for a label, writing failed, or the file would not hold exactly this label
            (nothing is written then).
    """
    content = encode_with_label(image, path, label, quality=quality).content
    files.write_whole(path, content, overwrite=overwrite)
    return hashlib.sha256(content).hexdigest()


def _found(carrier: str, text: str, extra: list[str] | None = None) -> FoundLabel:
    label, deviations = parse_label(text)
    return FoundLabel(carrier, label, (*(extra or []), *deviations), text[:4000])


def _says_label(text: str) -> bool:
    return "AIGC" in text or "ServiceProvider" in text


def _exif_texts(exif: bytes) -> list[tuple[str, int, str]]:
    """Carrier, tag and text of the EXIF entries that labels are written into."""
    try:
        entries = tiff.read(exif)[0]
    except ValueError:
        return []
    inside = next((entry.directory for entry in entries if entry.directory and entry.tag == tiff.EXIF), ())
    found = [("exif ImageDescription", entry) for entry in entries if entry.tag == _IMAGE_DESCRIPTION]
    found += [("exif UserComment", entry) for entry in inside or () if entry.tag == _USER_COMMENT]
    return [(carrier, entry.tag, _text(entry.value)) for carrier, entry in found]


def _text(value: bytes) -> str:
    code, rest = value[:8], value[8:]
    if code == b"UNICODE\0":
        return rest.decode("utf-16", "replace").strip("\0 ")
    return (rest if code in (b"ASCII\0\0\0", bytes(8)) else value).decode("utf-8", "replace").strip("\0 ")
