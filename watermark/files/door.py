"""The one place where a picture file is opened. Nothing else in the package calls a decoder.

Only formats that ``formats`` names are tried, the size is looked at before anything is decoded, and whatever goes
wrong, of any type, ends in one line.
"""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin, TiffImagePlugin

from watermark.errors import UserError
from watermark.files import animation, deep, exif, formats
from watermark.files.animation import Animation
from watermark.files.blocks import gather
from watermark.files.containers import jxl
from watermark.files.containers.riff import avif_depth
from watermark.files.containers.tiff_layout import layout_of
from watermark.files.deep import Deep
from watermark.files.limits import check_size, max_file_bytes
from watermark.files.metadata import FURTHER, JpegCoding, Metadata, with_metadata
from watermark.files.modes import CONVERTIBLE, plain, upright
from watermark.files.quiet import silence_libtiff
from watermark.files.reading import read_regular
from watermark.shown import reason, shown

PPM_HEADER = 65_536


def load(path: Path) -> Image.Image:
    """Read one still picture of 8 bits a channel, upright, as L, LA, RGB or RGBA.

    Its ``info`` holds the file's metadata as bytes (``watermark.files.metadata``), true of the upright picture, and
    its colour profile.

    Raises:
        UserError: the file is missing, no picture of a format that is read here, larger than allowed, damaged,
            animated, CMYK, or deeper than 8 bits.
    """
    return decode(read_bytes(path), path)


def load_any(path: Path, *, every_frame: bool = False) -> Image.Image | Deep | Animation:
    """As ``load``, but a picture of more than 8 bits a channel comes at its own depth.

    Args:
        path: a picture.
        every_frame: give an animated GIF, WebP or APNG as such instead of refusing it.

    Raises:
        UserError: see ``load``.
    """
    return decode_any(read_bytes(path), path, every_frame=every_frame)


def load_8bit(path: Path) -> Image.Image:
    """As ``load``, but a picture of more than 8 bits a channel comes rounded to 8, without transparency or metadata.

    Raises:
        UserError: see ``load``.
    """
    picture = load_any(path)
    assert not isinstance(picture, Animation)  # refused, for not every frame was asked for
    return picture.at_8bit() if isinstance(picture, Deep) else picture


def look(path: Path) -> Image.Image:
    """Read whatever a mark may be looked for in: the first frame of anything, in any depth and colours; no metadata."""
    return decode(read_bytes(path), path, strict=False)


def read_bytes(path: Path) -> bytes:
    """A picture file's content, if it is a regular file of at most ``max_file_bytes``.

    Raises:
        UserError: in one line.
    """
    return read_regular(path, max_file_bytes())


def decode(data: bytes, name: object, *, strict: bool = True) -> Image.Image:
    """A picture from a file's content; see ``load`` and ``look``.

    Args:
        data: the whole file.
        name: what errors call it.
        strict: refuse what could not be written back as it is.
    """
    name = shown(name)
    with told(name), _opened(data, name) as (image, metadata, _):
        if strict:
            _refuse_unfit(image, metadata, data, name)
        orientation = _orientation(image, metadata)  # Pillow forgets it on loading
        image.load()
        flat: Image.Image = plain(image) if image.mode in CONVERTIBLE else _to_8bit(image, _depth(image, data))
        turned = upright(flat, orientation)
        if turned is image:  # a picture, and no longer a file
            turned = image.copy()
        metadata = _completed(image, metadata).corrected(turned.size)
        return with_metadata(turned, metadata)


def decode_any(data: bytes, name: object, *, every_frame: bool = False) -> Image.Image | Deep | Animation:
    """A picture from a file's content; see ``load_any``."""
    name = shown(name)
    with told(name), _opened(data, name) as (image, metadata, pixels):
        if every_frame and image.format in animation.FORMATS and _frames(image, metadata) > 1:
            with Image.OPEN[str(image.format)][0](io.BytesIO(data), "") as whole:  # ``pixels`` hold the first frame
                return animation.read(whole, _completed(image, metadata))
        depth = _depth(image, data)
        if depth > 8 and image.format in deep.FORMATS:
            _refuse_frames(image, metadata, name)
            orientation = _orientation(image, metadata, pillow=False)
            image.load()  # OpenCV makes something of a file that is cut off
            return deep.read(pixels, _completed(image, metadata), depth, orientation)
    return decode(data, name)


@dataclass(frozen=True)
class Header:
    """What a picture's header says.

    Attributes:
        size: width and height of the upright picture, px.
        bits: per channel, 1 to 16; 32 for floats.
    """

    size: tuple[int, int]
    bits: int


def header_of(data: bytes, name: object) -> Header:
    """What the header of a file's content says of the picture that ``load_8bit`` would give.

    Args:
        data: the whole file.
        name: what errors call it.

    Raises:
        UserError: if ``load_8bit`` would refuse it by its header.
    """
    name = shown(name)
    with told(name), _opened(data, name) as (image, metadata, _):
        depth = _depth(image, data)
        if depth > 8 and image.format in deep.FORMATS:
            _refuse_frames(image, metadata, name)
        else:
            _refuse_unfit(image, metadata, data, name)
        width, height = image.size
        return Header((height, width) if _orientation(image, metadata) >= 5 else (width, height), depth)


def metadata_of(data: bytes, name: object) -> Metadata:
    """What a file says beside its pixels, as it lies there.

    Raises:
        UserError: see ``load``.
    """
    with told(shown(name)), _opened(data, shown(name)) as (image, metadata, _):
        return _completed(image, metadata)


@contextlib.contextmanager
def told(name: object) -> Iterator[None]:
    """Any exception of any type as one line about this file."""
    try:
        yield
    except UserError:
        raise
    except MemoryError:
        raise UserError(f"{name}: cannot be read (not enough memory)") from None
    except RecursionError:
        raise UserError(f"{name}: cannot be read (nested too deeply)") from None
    except Exception as error:
        raise UserError(f"{name}: cannot be read ({reason(error)})") from None


@contextlib.contextmanager
def _opened(data: bytes, name: object) -> Iterator[tuple[ImageFile.ImageFile, Metadata, bytes]]:
    """Pillow's picture, its header read and its size allowed, the metadata, and the file of the pixels alone."""
    found = formats.of_content(data)
    if found is None:
        raise UserError(f"{name}: expected one of {formats.names()}, got {formats.name_of(data)}")
    if not formats.installed(found):
        package = found.package[0].replace("_", "-") if found.package else ""
        raise UserError(f"{name}: {found.name} needs the package {package}: pip install 'robust-watermark[formats]'")
    try:
        metadata, pixels = gather(found.name, data)
        if found.name == "PPM":
            _header_of_ppm(data)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    Image.preinit()
    if found.name not in Image.OPEN:
        Image.init()
    factory, _ = Image.OPEN[found.name]
    if found.name == "TIFF":
        silence_libtiff()
    with factory(io.BytesIO(pixels), "") as image:  # Image.open has a limit of its own
        check_size(name, *image.size)
        yield image, metadata, pixels


def _orientation(image: ImageFile.ImageFile, metadata: Metadata, *, pillow: bool = True) -> int:
    """What is left to turn, asked before the picture is loaded; decoders of TIFF turn it where its own tag says so."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        image.info.pop("xmp", None)  # or Pillow would turn it on loading, and not tell so before
        is_byte = isinstance(image.tag_v2.get(exif.ORIENTATION), bytes)  # which libtiff heeds and Pillow does not
        return 1 if exif.orientation(metadata.exif) and not (is_byte and pillow) else metadata.orientation
    return _completed(image, metadata).orientation


def _completed(image: ImageFile.ImageFile, metadata: Metadata) -> Metadata:
    """With the blocks that Pillow hands over as bytes, of formats that are not walked here."""
    if metadata.source in {"WEBP", "AVIF", "HEIF", "JXL", "GIF"}:
        held = {key: image.info.get(key) for key in ("exif", "xmp", "icc_profile", "comment")}
        blocks = {key: value if isinstance(value, bytes) else b"" for key, value in held.items()}
        metadata = replace(
            metadata,
            exif=exif.bare(blocks["exif"]),
            xmp=blocks["xmp"],
            icc=blocks["icc_profile"],
            comments=(blocks["comment"],) if blocks["comment"] else (),
        )
    beside = [image.info.get("depth_images"), image.info.get("aux"), getattr(image, "n_frames", 1) > 1]
    if metadata.source == "HEIF" and any(beside):
        metadata = replace(metadata, dropped=(*metadata.dropped, FURTHER))
    if isinstance(image, JpegImagePlugin.JpegImageFile) and metadata.source == "JPEG":
        tables = {number: list(table) for number, table in image.quantization.items()}
        coding = JpegCoding(tables, JpegImagePlugin.get_sampling(image), "progression" in image.info)
        metadata = replace(metadata, coding=coding)
    return metadata


def _refuse_frames(image: ImageFile.ImageFile, metadata: Metadata, name: object) -> None:
    if (frames := _frames(image, metadata)) > 1:
        more = " or more" if image.format == "GIF" else ""
        kind = "pages" if image.format == "TIFF" else "frames"
        refusal = animation.SeveralFramesError if image.format in animation.FORMATS else UserError
        raise refusal(f"{name}: expected one still picture, got {frames} {kind}{more}")


def _frames(image: ImageFile.ImageFile, metadata: Metadata) -> int:
    if metadata.source == "HEIF":  # a phone's picture is its first one
        return 1
    if metadata.source == "GIF":  # counting them takes as long as reading them all
        return 1 + bool(getattr(image, "is_animated", False))
    return metadata.frames if metadata.source in {"PNG", "TIFF"} else getattr(image, "n_frames", 1)


def _refuse_unfit(image: ImageFile.ImageFile, metadata: Metadata, data: bytes, name: object) -> None:
    _refuse_frames(image, metadata, name)
    if image.mode == "CMYK":
        raise UserError(f"{name}: expected RGB or grey, got CMYK; convert it with its colour profile first")
    depth = _depth(image, data)
    if depth > 8 or image.mode.startswith(("I", "F")):
        raise UserError(
            f"{name}: expected 8 bits per channel, got more ({depth} bits, {image.mode}); convert it to 8 bits first"
        )
    if image.mode not in CONVERTIBLE:
        raise UserError(f"{name}: expected RGB or grey, got {image.mode}; convert it with its colour profile first")


def _depth(image: ImageFile.ImageFile, data: bytes) -> int:
    """Bits per channel of the file; Pillow reads deep RGB as 8 bits without a word."""
    if image.format == "PNG":
        return data[24]
    if image.format == "TIFF":
        return layout_of(data).depth
    if image.format == "AVIF":
        return avif_depth(data)
    if image.format == "PPM" and data[:1] == b"P":
        return _depth_of_ppm(data)
    if image.format == "JXL":
        return jxl.depth(data)
    if image.format == "HEIF":
        return int(image.info.get("bit_depth", 8))
    return 16 if image.mode.startswith(("I", "F")) else 8


def _depth_of_ppm(data: bytes) -> int:
    words = _header_of_ppm(data)
    if words[0] in (b"P1", b"P4"):
        return 1
    return max(8, int(words[3]).bit_length()) if len(words) > 3 and words[3].isdigit() else 8


def _header_of_ppm(data: bytes) -> list[bytes]:
    """The words of a header with which the pixels begin, or more; comments are left out.

    Raises:
        UserError: it does not end within 64 KiB; Pillow reads it byte by byte, however long it is.
    """
    lines = (line.partition(b"#")[0] for line in data[:PPM_HEADER].splitlines())
    words = b" ".join(lines).split()
    if len(data) > PPM_HEADER and len(words) < (3 if words[0] in (b"P1", b"P4") else 4):
        raise UserError(f"expected a header of at most {PPM_HEADER >> 10} KiB")
    return words


def _to_8bit(image: Image.Image, depth: int) -> Image.Image:
    """For looking only: deep grey is scaled from its 16 or 32 bits, anything else converted by Pillow."""
    if image.mode.startswith("I"):
        values = np.asarray(image)
        values = values.view(np.uint32) >> 16 if depth > 16 else values.astype(np.int64).clip(0, 65_535)
        return Image.fromarray((values >> 8).astype(np.uint8))
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image))
        return Image.fromarray((values * (255 if values.max(initial=0) <= 1 else 1)).clip(0, 255).astype(np.uint8))
    return image.convert("RGB")
