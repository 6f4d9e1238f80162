"""Where labels sit in a picture's metadata: found in every documented place, written in exactly one.

A picture is a PIL image whose ``info`` holds its file's metadata (``watermark.files.load`` keeps it, ``save`` writes
it). The written place is the XMP property; PNG text ``AIGC`` and EXIF texts are read, and cleared when a label is set,
because a file is to carry one label only.
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from watermark import files
from watermark.errors import UserError
from watermark.labels import xmp
from watermark.labels.aigc import AigcLabel, parse_label

PNG_XMP = "XML:com.adobe.xmp"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff"}
_EXIF_IFD, _USER_COMMENT, _IMAGE_DESCRIPTION = 0x8769, 0x9286, 0x010E


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
    found = []
    packet = _packet(image)
    if packet:
        try:
            for tag, text in xmp.read_properties(packet):
                extra = [] if tag == xmp.PROPERTY else [f"the property is {tag}, expected {xmp.PROPERTY}"]
                found.append(_found("xmp", text, extra))
        except ValueError as error:
            if b"AIGC" in packet:
                found.append(FoundLabel("xmp", None, (str(error),), packet.decode("utf-8", "replace")[:4000]))
    for name, value in image.info.items():
        if isinstance(name, str) and isinstance(value, str) and "AIGC" in name:
            found.append(_found("png text", value))
    for carrier, text in _exif_texts(image.getexif()):
        if "AIGC" in text or "ServiceProvider" in text:
            found.append(_found(carrier, text))
    return found


def with_label(image: Image.Image, label: AigcLabel) -> Image.Image:
    """A copy whose metadata carries exactly this label, as XMP, beside whatever else it carried.

    Raises:
        UserError: the picture's own XMP cannot be read and would be lost.
    """
    labelled = image.copy()
    info = {k: v for k, v in image.info.items() if k != PNG_XMP and not (isinstance(k, str) and "AIGC" in k)}
    info["xmp"] = xmp.merge(_packet(image), label.to_json())
    exif = image.getexif()
    if any("AIGC" in text or "ServiceProvider" in text for _, text in _exif_texts(exif)):
        for ifd, tag in ((exif, _IMAGE_DESCRIPTION), (exif.get_ifd(_EXIF_IFD), _USER_COMMENT)):
            if "AIGC" in _text(ifd.get(tag)) or "ServiceProvider" in _text(ifd.get(tag)):
                del ifd[tag]
        info["exif"] = exif.tobytes()
    labelled.info = info
    return labelled


def save_with_label(
    image: Image.Image, path: Path, label: AigcLabel, *, overwrite: bool = False, quality: int | None = None
) -> str:
    """Save a labelled copy, read the label back from the file, and return the file's SHA-256.

    Args:
        image: the picture with its metadata.
        path: JPEG, PNG, WebP, AVIF or TIFF by suffix.
        label: what to write.
        overwrite: replace an existing file.
        quality: of the lossy formats; see ``watermark.files.save``.

    Raises:
        UserError: the format has no place for a label, writing failed, or the file does not hold exactly this label
            afterwards (it is then removed).
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"{path}: no place for a metadata label in {path.suffix or 'a file without suffix'}; expected "
            f"one of {' '.join(sorted(SUFFIXES))}"
        )
    files.save(with_label(image, label), path, overwrite=overwrite, quality=quality)
    with Image.open(path) as written:
        found = read_labels(written)
    if [one.label for one in found] != [label] or found[0].carrier != "xmp":
        path.unlink()
        raise UserError(f"{path}: the label did not survive writing ({len(found)} found on reading back)")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _found(carrier: str, text: str, extra: list[str] | None = None) -> FoundLabel:
    label, deviations = parse_label(text)
    return FoundLabel(carrier, label, (*(extra or []), *deviations), text[:4000])


def _packet(image: Image.Image) -> bytes | None:
    packet = image.info.get("xmp") or image.info.get(PNG_XMP)
    return packet.encode() if isinstance(packet, str) else packet


def _exif_texts(exif: Image.Exif) -> list[tuple[str, str]]:
    texts = [
        ("exif ImageDescription", _text(exif.get(_IMAGE_DESCRIPTION))),
        ("exif UserComment", _text(exif.get_ifd(_EXIF_IFD).get(_USER_COMMENT))),
    ]
    return [(carrier, text) for carrier, text in texts if text]


def _text(value: object) -> str:
    if isinstance(value, bytes):
        code, rest = value[:8], value[8:]
        if code == b"UNICODE\0":
            return rest.decode("utf-16", "replace").strip("\0 ")
        return (rest if code in (b"ASCII\0\0\0", bytes(8)) else value).decode("utf-8", "replace").strip("\0 ")
    return value if isinstance(value, str) else ""
