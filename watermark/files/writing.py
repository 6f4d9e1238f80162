"""From a picture to a file: whether it may be written, in which mode, and what of it the format has no place for."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

from PIL import Image

from watermark.errors import UserError
from watermark.files import formats, xmp
from watermark.files.animation import Animation
from watermark.files.assembly import Picture, assemble, keeps_tables
from watermark.files.containers import png
from watermark.files.deep import Deep
from watermark.files.metadata import Metadata, of
from watermark.files.modes import is_clear, is_grey, on_white, plain
from watermark.files.whole import check_free, write_whole
from watermark.shown import reason, shown

FINER, FINEST = 3, 98
"""By how much the quality of a JPEG that lost the mark at its own is raised, and to what where that is not enough."""


@dataclass(frozen=True)
class Encoded:
    """A file's content, and what of the picture's metadata it cannot hold, by name."""

    content: bytes
    lost: tuple[str, ...]


def save(image: Image.Image, path: Path, *, overwrite: bool = False, quality: int | None = None) -> tuple[str, ...]:
    """Write a picture with its metadata; the file appears whole or not at all.

    Args:
        image: from ``load``, or any 8-bit picture.
        path: the suffix decides the format.
        overwrite: replace an existing file.
        quality: of the lossy formats, 1 to 100; None for a high default, and for a JPEG that came from a JPEG its own
            tables. A lossless WebP stays lossless. The subsampling of a JPEG stays in any case.

    Returns:
        What the format cannot hold, by name.

    Raises:
        UserError: the file exists, the format cannot hold a mark, or writing fails (disk full, no permission).
    """
    check_target(path, overwrite)
    encoded = encode(image, path, quality)
    write_whole(path, encoded.content, overwrite=overwrite)
    return encoded.lost


def check_target(path: Path, overwrite: bool, *, every_frame: bool = False) -> None:
    """Refuse early what ``save`` would refuse after the work was done.

    Args:
        path: the target.
        overwrite: whether it may be replaced.
        every_frame: whether it may hold an animation, as a GIF too.

    Raises:
        UserError: the file exists and may not be replaced, or its format cannot hold a mark.
    """
    suffix = path.suffix.lower()
    allowed = formats.writable() | (formats.OF_FRAMES if every_frame else set())
    if suffix not in allowed:
        given = path.suffix or "a file without suffix"
        found = formats.of_suffix(suffix)
        if found and found.package and not formats.installed(found):
            raise UserError(
                f"{shown(path)}: {found.name} needs the package {found.package[0].replace('_', '-')}: "
                "pip install 'robust-watermark[formats]'"
            )
        expected = " ".join(sorted(allowed))
        raise UserError(f"{shown(path)}: cannot write {shown(given)}; expected one of {expected}")
    check_free(path, overwrite)


def encode(image: Picture, path: Path, quality: int | None = None) -> Encoded:
    """The content of the file that ``save`` would write.

    Raises:
        UserError: the format takes no such picture (too many pixels a side, too deep).
    """
    found = formats.of_suffix(path.suffix)
    assert found is not None  # check_target was asked
    try:
        metadata = of(image)
        body = fit_mode(image, found.name)
        metadata, lost = _fitting(metadata, found.name, body)
        lost += ["transparency, laid on white"] * (is_clear(image) and not is_clear(body))
        content, more = assemble(body, metadata, found.name, quality)
    except MemoryError:
        raise UserError(f"{shown(path)}: cannot be written (not enough memory)") from None
    except Exception as error:  # an encoder may raise anything
        raise UserError(f"{shown(path)}: cannot be written ({reason(error)})") from None
    return Encoded(content, tuple(dict.fromkeys([*lost, *more])))


def own_quality(image: Picture, path: Path) -> int | None:
    """About which quality ``encode`` keeps where none is asked for; None for all but a JPEG that came from a JPEG."""
    found = formats.of_suffix(path.suffix)
    metadata = of(image)
    if found is None or found.name != "JPEG" or not keeps_tables(fit_mode(image, "JPEG"), metadata):
        return None
    return metadata.coding.quality if metadata.coding else None


def qualities(image: Picture, path: Path, asked: int | None) -> Iterator[int | None]:
    """At which qualities to write a marked picture, the next one where the mark is lost; see ``save``.

    First the one that is asked for. None for a JPEG from a JPEG means its own, and finer ones follow: its values lie
    on the grid of its own quality already, and a faint mark may not leave it.
    """
    yield asked
    own = own_quality(image, path) if asked is None else None
    if own is not None and own < FINEST:
        yield from sorted({min(own + FINER, FINEST), FINEST})


@overload
def fit_mode(image: Image.Image, format_name: str) -> Image.Image: ...
@overload
def fit_mode(image: Deep | Animation, format_name: str) -> Deep | Animation: ...
def fit_mode(image: Picture, format_name: str) -> Picture:
    """The picture in a mode that the format can hold; where there is no transparency, it is laid on white."""
    if not isinstance(image, Image.Image):
        return image
    image = plain(image)
    if format_name in {"JPEG", "PPM", "BMP"}:
        return on_white(image)
    if format_name in {"WEBP", "AVIF", "HEIF"} and is_grey(image):
        return image.convert("RGBA" if image.mode == "LA" else "RGB")  # no grey in these formats
    return image


def _fitting(metadata: Metadata, name: str, body: Picture) -> tuple[Metadata, list[str]]:
    """What a format has a place for, and the names of the rest."""
    lost = []
    if metadata.icc and metadata.icc[16:20] == (b"GRAY" if not is_grey(body) else b"RGB "):
        lost.append("colour profile (of grey pixels)" if not is_grey(body) else "colour profile (of coloured pixels)")
        kept = tuple(chunk for chunk in metadata.chunks if chunk.kind != b"iCCP")
        metadata = replace(metadata, icc=b"", chunks=kept)
    if name in {"BMP", "PPM", "GIF"}:
        held = {"EXIF": metadata.exif, "XMP": metadata.xmp, "colour profile": metadata.icc}
        lost += [one for one, block in held.items() if block]
    if name != "PNG":
        texts = [shown(chunk.keyword, 40) for chunk in metadata.chunks if chunk.kind in png.TEXT]
        lost += [f"PNG text ({', '.join(texts[:5])}{', ...' if len(texts) > 5 else ''})"] * bool(texts)
        kinds = {chunk.kind for chunk in metadata.chunks} - {*png.TEXT, b"iCCP", b"sRGB"}
        lost += ["colour space (cICP)"] * (png.COLOUR_SPACE in kinds and name != "AVIF")
        other = {kind.decode() for kind in kinds - {png.COLOUR_SPACE}}
        lost += [f"PNG chunks ({', '.join(sorted(other))})"] * bool(other)
    if name != "JPEG":
        lost += ["JPEG segments"] * bool(metadata.segments)
        lost += ["comment"] * bool(metadata.comments and name not in {"PNG", "GIF"})
        packet = (
            xmp.whole(metadata.xmp, metadata.xmp_extension) if metadata.xmp else None if metadata.xmp_extension else b""
        )
        lost += ["rest of a large XMP packet"] * (packet is None)
        metadata = replace(metadata, xmp=metadata.xmp if packet is None else packet, xmp_extension=b"")
    if name == "JXL" and metadata.xmp:  # pillow-jxl-plugin neither reads nor writes it back
        lost, metadata = [*lost, "XMP"], replace(metadata, xmp=b"")
    if name not in {"JPEG", "TIFF"}:
        lost += ["IPTC"] * bool(metadata.photoshop or metadata.iptc)
    return metadata, lost
