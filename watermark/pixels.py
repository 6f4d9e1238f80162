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


def to_tensor(image: Image.Image) -> Tensor:
    """Any 8-bit PIL picture to ``(1, 3, H, W)`` float in ``[0, 1]``; transparency is left out."""
    return _array_to_tensor(np.asarray(image.convert("RGBA" if image.mode == "P" else "RGB").convert("RGB")))


def to_image(tensor: Tensor) -> Image.Image:
    """One ``(1, 3, H, W)`` or ``(3, H, W)`` float picture to an RGB PIL image, rounded to 8 bits."""
    return Image.fromarray(_tensor_to_array(tensor))


def unpack(image: Picture) -> tuple[Tensor, Callable[[Tensor], Picture]]:
    """A picture as a float batch, and the function that turns a changed batch back into the same kind of picture.

    PIL images keep their grey mode or transparency (a palette becomes RGB, for it has no room for a mark) and their
    ``info``; uint8 arrays ``(H, W, 3)`` come back as such; float tensors ``(N, 3, H, W)`` stay on their device.

    Raises:
        TypeError: for anything else, with what was expected and what was given.
    """
    if isinstance(image, Image.Image):
        flat = ready(image)
        return to_tensor(flat), lambda marked: like(flat, to_image(marked))
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return _array_to_tensor(image), _tensor_to_array
    if isinstance(image, Tensor) and image.is_floating_point() and image.ndim == 4:
        return image.float(), lambda marked: marked.to(image.dtype)
    if isinstance(image, np.ndarray | Tensor):
        given = f"{type(image).__name__} {image.dtype} {tuple(image.shape)}"
    else:
        given = type(image).__name__
    raise TypeError(
        f"expected a PIL image, a uint8 or uint16 array (H, W, 3) or a float tensor (N, 3, H, W) in [0, 1], got {given}"
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
    result = marked.convert("L" if original.mode in {"L", "LA"} else "RGB")
    if original.mode in {"LA", "RGBA"}:
        result.putalpha(original.getchannel("A"))
    result.info = dict(original.info)
    return result


def _array_to_tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array)).permute(2, 0, 1)[None].float() / 255


def _tensor_to_array(tensor: Tensor) -> np.ndarray:
    picture = to_8bit(tensor.detach().reshape(tensor.shape[-3:]).clamp(0, 1))
    return (picture * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
