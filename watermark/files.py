"""Pictures on disk: read what can be read rightly, refuse the rest in one line, write all or nothing.

A picture travels as a PIL image. Its ``info`` keeps the colour profile, EXIF, XMP and PNG text of the file it came
from, and ``save`` writes them back; the EXIF orientation is applied to the pixels on the way in.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, ImageOps, PngImagePlugin, TiffImagePlugin, TiffTags, UnidentifiedImageError

from watermark.errors import UserError

READABLE = {".png", ".jpg", ".jpeg", ".jfif", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm"}
WRITABLE = READABLE - {".gif"}  # 256 colours cannot hold a mark
JPEG_QUALITY, WEBP_QUALITY, AVIF_QUALITY = 95, 95, 90
DESCRIPTIVE_TAGS = {
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
    ExifTags.IFD.Exif,
    ExifTags.IFD.GPSInfo,
}
XMP_TAG = 700
PLAIN_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"}


def load(path: Path) -> Image.Image:
    """Read one still picture of 8 bits a channel, upright.

    Raises:
        UserError: if the file is missing, not a picture, truncated, animated, CMYK or 16 bits deep.
    """
    try:
        with Image.open(path) as file:
            _refuse_unfit(file, path)
            info = dict(file.info)
            upright = ImageOps.exif_transpose(file)  # decodes, so truncation shows here
            upright.info = {**info, **{k: v for k, v in upright.info.items() if k in {"exif", "xmp"}}}
            if exif := _kept_exif(file, upright):
                upright.info["exif"] = exif
            return upright
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnidentifiedImageError:
        raise UserError(f"{path}: not a picture that Pillow can read") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None


def _kept_exif(file: Image.Image, upright: Image.Image) -> bytes:
    """EXIF to write back; of a TIFF, whose EXIF also says where its strips lie, only what describes the picture."""
    kept = upright.getexif()  # without the orientation that was applied
    if file.format == "TIFF":
        kept, everything = Image.Exif(), file.getexif()
        for tag in DESCRIPTIVE_TAGS & set(everything):
            nested = tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
            kept[tag] = everything.get_ifd(tag) if nested else everything[tag]
    return kept.tobytes() if len(kept) else b""


def _refuse_unfit(file: Image.Image, path: Path) -> None:
    frames = getattr(file, "n_frames", 1)
    if frames > 1:
        raise UserError(f"{path}: expected one still picture, got {frames} frames")
    if file.mode == "CMYK":
        raise UserError(f"{path}: expected RGB or grey, got CMYK; convert it with its colour profile first")
    if _bits_per_channel(file) > 8 or file.mode not in PLAIN_MODES:
        raise UserError(f"{path}: expected 8 bits per channel, got more ({file.mode}); convert it to 8 bits first")


def _bits_per_channel(file: Image.Image) -> int:
    tile = getattr(file, "tile", None)
    if file.format == "PNG" and tile:
        raw_mode = tile[0][3]  # Pillow reads 16-bit RGB as 8 bits without a word; the raw mode still tells
        return 16 if "16" in str(raw_mode) else 8
    return 16 if file.mode.startswith("I") or file.mode == "F" else 8


def save(image: Image.Image, path: Path, *, overwrite: bool = False, quality: int | None = None) -> None:
    """Write a picture with the metadata in its ``info``; the file appears whole or not at all.

    Args:
        image: any mode that the format takes.
        path: the suffix decides the format.
        overwrite: replace an existing file.
        quality: of the lossy formats, 1 to 100; None for a high default.

    Raises:
        UserError: if the file exists, the format cannot hold a mark, or writing fails (disk full, no permission).
    """
    check_target(path, overwrite)
    format_name = Image.registered_extensions()[path.suffix.lower()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        temporary = Path(name)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
    try:
        with os.fdopen(handle, "wb") as file:
            fit_mode(image, format_name).save(file, format=format_name, **_save_options(image, format_name, quality))
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be written ({' '.join(str(error).split())})") from None
    finally:
        temporary.unlink(missing_ok=True)


def check_target(path: Path, overwrite: bool) -> None:
    """Refuse early what ``save`` would refuse after the work was done.

    Raises:
        UserError: if the file exists and may not be replaced, or its format cannot hold a mark.
    """
    if path.suffix.lower() not in WRITABLE:
        given = path.suffix or "a file without suffix"
        raise UserError(f"{path}: cannot write {given}; expected one of {' '.join(sorted(WRITABLE))}")
    if path.exists() and not overwrite:
        raise UserError(f"{path}: exists already; say --overwrite to replace it")


def fit_mode(image: Image.Image, format_name: str) -> Image.Image:
    """The picture in a mode that the format can hold; JPEG has no transparency, so it is laid on white."""
    if format_name in {"JPEG", "PPM", "BMP"} and image.mode in {"RGBA", "LA", "PA"}:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        return white.convert("RGB")
    if format_name in {"JPEG", "WEBP", "AVIF"} and image.mode not in {"RGB", "RGBA", "L"}:
        return image.convert("RGBA" if "A" in image.mode else "RGB")
    return image


def _save_options(image: Image.Image, format_name: str, quality: int | None) -> dict[str, Any]:
    info = image.info
    options: dict[str, Any] = {}
    if format_name in {"JPEG", "PNG", "WEBP", "AVIF", "TIFF"}:
        options |= {name: info[name] for name in ("exif", "icc_profile") if info.get(name)}
    if format_name in {"JPEG", "WEBP", "AVIF"} and isinstance(info.get("xmp"), bytes):
        options["xmp"] = info["xmp"]
    if format_name in {"JPEG", "PNG", "TIFF"} and "dpi" in info:
        options["dpi"] = info["dpi"]
    if format_name == "JPEG":
        options |= {"quality": quality or JPEG_QUALITY, "optimize": True}
    elif format_name == "WEBP":
        options |= {"quality": quality or WEBP_QUALITY, "method": 4}
    elif format_name == "AVIF":
        options["quality"] = quality or AVIF_QUALITY
    elif format_name == "PNG":
        options["pnginfo"] = _png_text(info)
    elif format_name == "TIFF":
        options["compression"] = "tiff_deflate"
        options["tiffinfo"] = _tiff_tags(options.pop("exif", b""), info.get("xmp"))
    return options


def _tiff_tags(exif_bytes: bytes, xmp: object) -> TiffImagePlugin.ImageFileDirectory_v2:
    """EXIF and XMP as one directory, for Pillow takes the tags of a TIFF from one place only."""
    exif, directory = Image.Exif(), TiffImagePlugin.ImageFileDirectory_v2()
    exif.load(exif_bytes)
    for tag in exif:
        directory[tag] = exif.get_ifd(tag) if tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) else exif[tag]
    if isinstance(xmp, bytes):
        directory.tagtype[XMP_TAG] = TiffTags.UNDEFINED
        directory[XMP_TAG] = xmp
    return directory


def _png_text(info: dict[Any, Any]) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    for name, value in info.items():
        if isinstance(value, PngImagePlugin.iTXt):
            chunks.add_itxt(str(name), str(value), value.lang or "", value.tkey or "")
        elif isinstance(value, str) and isinstance(name, str):
            chunks.add_text(name, value)
    if isinstance(info.get("xmp"), bytes) and "XML:com.adobe.xmp" not in info:
        chunks.add_itxt("XML:com.adobe.xmp", info["xmp"].decode("utf-8", "replace"))
    return chunks


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def find_pictures(folder: Path) -> Iterator[Path]:
    """Every picture below a folder by suffix, in a fixed order; hidden files and folders are passed over."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in READABLE and path.is_file() and not hidden:
            yield path
