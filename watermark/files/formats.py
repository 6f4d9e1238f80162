"""The formats that are ever opened or written. A file of any other kind is never handed to a decoder."""

import importlib
from dataclasses import dataclass
from functools import cache

from PIL import Image


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: as Pillow names it.
        suffixes: of its files, in lower case.
        writable: whether a marked picture may be written as it.
        package: what must be installed beside Pillow, and the function in it that tells Pillow about it.
    """

    name: str
    suffixes: tuple[str, ...]
    writable: bool = True
    package: tuple[str, str] | None = None


FORMATS = (
    Format("PNG", (".png", ".apng")),
    Format("JPEG", (".jpg", ".jpeg", ".jfif", ".jpe", ".mpo")),
    Format("WEBP", (".webp",)),
    Format("AVIF", (".avif",)),
    Format("TIFF", (".tif", ".tiff")),
    Format("BMP", (".bmp",)),
    Format("GIF", (".gif",), writable=False),  # 256 colours cannot hold a mark
    Format("PPM", (".ppm", ".pgm", ".pnm")),
    Format("HEIF", (".heic", ".heif"), package=("pillow_heif", "register_heif_opener")),
    Format("JXL", (".jxl",), package=("pillow_jxl", "")),
)
NO_TARGET = {".apng": ".png", ".mpo": ".jpg", ".pnm": ".ppm"}
"""Suffixes that are read, and under which the picture is written: they would promise what the file is not."""
OF_FRAMES = {".gif"}
"""Suffixes that are written only where every frame of an animation is marked."""
FOREIGN = {
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"8BPS": "a Photoshop document",
    b"gimp xcf": "a GIMP document",
    b"qoif": "QOI",
    b"\0\0\1\0": "an icon",
    b"icns": "an icon",
    b"v/1\1": "OpenEXR",
    b"#?": "Radiance HDR",
    b"DDS ": "a DirectDraw surface",
    b"II\xbc": "JPEG XR",
    b"P7": "PAM",
    b"PF": "PFM",
    b"IIRO": "a camera's raw file",
    b"IIRS": "a camera's raw file",
    b"MMOR": "a camera's raw file",
    b"IIU\0": "a camera's raw file",
    b"FUJIFILMCCD-RAW": "a camera's raw file",
    b"%PDF": "PDF",
    b"\x1aE\xdf\xa3": "a film",
    b"PK\3\4": "an archive",
}
"""What else files begin with that people take for pictures."""


@cache
def installed(found: Format) -> bool:
    """Whether its decoder is there; one of another package is told to Pillow the first time."""
    if found.package is None:
        return True
    name, function = found.package
    try:
        module = importlib.import_module(name)
        if function:
            getattr(module, function)()
    except (ImportError, AttributeError, OSError):
        return False
    return found.name in Image.OPEN


def _suffixes(wanted: list[Format]) -> frozenset[str]:
    return frozenset(suffix for one in wanted for suffix in one.suffixes)


EXTRA = _suffixes([one for one in FORMATS if one.package is not None])


@cache
def readable() -> frozenset[str]:
    """Suffixes of the files that can be read here."""
    return _suffixes([one for one in FORMATS if installed(one)])


@cache
def writable() -> frozenset[str]:
    """Suffixes of the files that can be written here."""
    return _suffixes([one for one in FORMATS if one.writable and installed(one)]) - set(NO_TARGET)


def target_suffix(suffix: str, *, every_frame: bool = False) -> str:
    """Under which suffix a picture of this one is written: its own where that can be, else PNG."""
    allowed = writable() | (OF_FRAMES if every_frame else set())
    return suffix if suffix.lower() in allowed else NO_TARGET.get(suffix.lower(), ".png")


def of_suffix(suffix: str) -> Format | None:
    """The format of a file name."""
    return next((one for one in FORMATS if suffix.lower() in one.suffixes), None)


def of_content(data: bytes) -> Format | None:
    """The format by the first bytes of a file, whatever it is called; None for anything that is not named here."""
    names = {one.name: one for one in FORMATS}
    if data[:2] in (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf"):
        return names["PPM"]
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return names["WEBP"]
    if data[4:8] == b"ftyp":
        brands = data[8:12] + data[16 : max(16, min(int.from_bytes(data[:4], "big"), 200))]
        if b"avif" in brands or b"avis" in brands:
            return names["AVIF"]
        return names["HEIF"] if any(one in brands for one in (b"heic", b"heix", b"mif1", b"heim", b"heis")) else None
    heads = {
        b"\x89PNG\r\n\x1a\n": "PNG",
        b"\xff\xd8\xff": "JPEG",
        b"II*\0": "TIFF",
        b"MM\0*": "TIFF",
        b"II+\0": "TIFF",
        b"MM\0+": "TIFF",
        b"BM": "BMP",
        b"GIF87a": "GIF",
        b"GIF89a": "GIF",
        b"\xff\x0a": "JXL",
        b"\0\0\0\x0cJXL \r\n\x87\n": "JXL",
    }
    return next((names[name] for head, name in heads.items() if data.startswith(head)), None)


def name_of(data: bytes) -> str:
    """What a file is that is none of the formats, as far as its beginning tells."""
    if not data:
        return "an empty file"
    if data[4:8] == b"ftyp":
        return "a camera's raw file" if data[8:11] == b"crx" else "a film"
    text = data[:1000].lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    if b"<svg" in text:
        return "SVG"
    return next((name for head, name in FOREIGN.items() if data.startswith(head)), "no picture that is known here")


def names() -> str:
    """The formats that can be read here."""
    usual = {"WEBP": "WebP", "HEIF": "HEIC", "JXL": "JPEG XL"}
    return ", ".join(usual.get(one.name, one.name) for one in FORMATS if installed(one))
