"""Between the pictures that people hold (PIL, arrays, tensors) and the tensors that schemes take, and back again."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from watermark.files import metadata
from watermark.files.modes import CONVERTIBLE, plain, upright
from watermark.images import to_8bit

Picture = Image.Image | np.ndarray | Tensor
PLANES = (1, 3, 4)
"""Grey, colour, colour with transparency."""


def to_tensor(image: Image.Image) -> Tensor:
    """Any 8-bit PIL picture to ``(1, 3, H, W)`` float in ``[0, 1]``; transparency is left out."""
    image = image.convert("RGBA") if image.mode == "P" else image
    return _array_to_tensor(np.asarray(image if image.mode == "RGB" else image.convert("RGB")))


def to_image(tensor: Tensor) -> Image.Image:
    """One ``(1, 3, H, W)`` or ``(3, H, W)`` float picture to an RGB PIL image, rounded to 8 bits."""
    return Image.fromarray(_tensor_to_array(tensor))


def unpack(image: Picture) -> tuple[Tensor, Callable[[Tensor], Picture]]:
    """A picture as a float batch ``(N, 3, H, W)``, and the function that makes a changed batch a picture of that kind.

    PIL images keep their grey mode or transparency (a palette becomes RGB, for it has no room for a mark) and their
    ``info``. Arrays ``(H, W)`` and ``(H, W, C)`` and tensors ``(H, W)``, ``(C, H, W)``, ``(H, W, C)``, ``(N, C, H, W)``
    and ``(N, H, W, C)``, of bytes or of floats in ``[0, 1]``, keep shape, type, device and order in memory; of 4 planes
    the last is transparency, and stays.

    Raises:
        TypeError: for anything else, with what was expected and what was given.
    """
    if isinstance(image, Image.Image):
        flat = ready(image)
        return to_tensor(flat), lambda marked: like(flat, to_image(marked))
    if (
        isinstance(image, np.ndarray)
        and image.ndim in (2, 3)
        and image.dtype.kind in "fu"
        and image.dtype.itemsize <= 8
    ):
        images, pack = _of_tensor(torch.from_numpy(image.astype(image.dtype.newbyteorder("="))), image)
        return images, lambda marked: pack(marked).cpu().numpy().astype(image.dtype, copy=False)
    if isinstance(image, Tensor):
        return _of_tensor(image.detach(), image)
    raise _unfit(image)


def _of_tensor(values: Tensor, given: Picture) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    orders = _orders(tuple(values.shape), first=isinstance(given, Tensor))
    if orders is None or not (values.is_floating_point() or values.dtype == torch.uint8) or values.is_meta:
        raise _unfit(given)
    there, back = orders
    planes = values.reshape(1, *values.shape) if values.ndim == 2 else values
    planes = (planes if planes.ndim == 4 else planes[None]).permute(there)  # (N, C, H, W)
    levels = 255 if values.dtype == torch.uint8 else 1
    colours, rest = planes[:, :3].float() / levels, planes[:, 3:]
    of_last = values.ndim == 4 and values.is_contiguous(memory_format=torch.channels_last)
    order = torch.channels_last if of_last and not values.is_contiguous() else torch.contiguous_format

    def pack(marked: Tensor) -> Tensor:
        marked = (to_8bit(marked.clamp(0, 1)) * levels).round() if levels > 1 else marked
        whole = torch.cat([marked[:, : planes.shape[1]].to(values.dtype), rest.to(marked.device)], 1)
        return whole.permute(back).reshape(values.shape).contiguous(memory_format=order)

    return colours.expand(-1, 3, -1, -1), pack


def _orders(shape: tuple[int, ...], *, first: bool) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """How a batch of this shape is permuted to ``(N, C, H, W)`` and back; None if it is none.

    Args:
        shape: of one picture or a batch.
        first: whether planes may stand before the rows too.
    """
    if len(shape) == 2:
        return (0, 1, 2, 3), (0, 1, 2, 3)
    if len(shape) not in (3, 4) or 0 in shape:
        return None
    if first and shape[-3] in PLANES:
        return (0, 1, 2, 3), (0, 1, 2, 3)
    return ((0, 3, 1, 2), (0, 2, 3, 1)) if shape[-1] in PLANES else None


def _unfit(image: object) -> TypeError:
    given = type(image).__name__
    if isinstance(image, np.ndarray | Tensor):
        where = " without values (meta)" if isinstance(image, Tensor) and image.is_meta else ""
        given += f" {image.dtype} {tuple(image.shape)}{where}"
    return TypeError(
        "expected a PIL image, a uint8 or uint16 array (H, W, 3), or an array or tensor of bytes, or of floats in "
        f"[0, 1], with 1, 3 or 4 planes: (H, W, C), (C, H, W), (N, C, H, W); got {given}"
    )


def ready(image: Image.Image) -> Image.Image:
    """A picture that a mark can be drawn on: upright, 8 bits, L, LA, RGB or RGBA.

    A picture that was opened with Pillow alone and lies on its side is turned, and its orientation set right.

    Raises:
        ValueError: for CMYK, LAB, YCbCr and more than 8 bits a channel.
    """
    if image.mode not in CONVERTIBLE:
        raise ValueError(
            f"expected a picture of 8 bits a channel in RGB or grey, got mode {image.mode}; convert it first"
        )
    if metadata.KEY in image.info:
        return plain(image)  # it was loaded upright
    held = metadata.of(image)
    if held.orientation == 1:
        return plain(image)
    turned = upright(plain(image), held.orientation)
    true = held.corrected(turned.size)
    turned.info |= {name: value for name, value in (("exif", true.exif), ("xmp", true.xmp)) if value}
    for stale in ("XML:com.adobe.xmp", "Raw profile type exif", "Raw profile type APP1"):
        turned.info.pop(stale, None)
    return turned


def like(original: Image.Image, marked: Image.Image) -> Image.Image:
    """A marked RGB picture as grey, or with the transparency, of a picture that is ``ready``; and its ``info``."""
    mode = "L" if original.mode in {"L", "LA"} else "RGB"
    result = marked if marked.mode == mode else marked.convert(mode)
    if original.mode in {"LA", "RGBA"}:
        result.putalpha(original.getchannel("A"))
    result.info = dict(original.info)
    return result


def _array_to_tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array)).permute(2, 0, 1)[None].float().div_(255)


def _tensor_to_array(tensor: Tensor) -> np.ndarray:
    picture = to_8bit(tensor.detach().reshape(tensor.shape[-3:]).clamp(0, 1))
    return (picture * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
