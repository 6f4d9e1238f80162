"""Between the pictures that people hold (PIL, arrays, tensors) and the tensors that schemes take, and back again."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

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
        return to_tensor(image), lambda marked: _like(image, to_image(marked))
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return _array_to_tensor(image), _tensor_to_array
    if isinstance(image, Tensor) and image.is_floating_point() and image.ndim == 4:
        return image, lambda marked: marked
    if isinstance(image, np.ndarray | Tensor):
        given = f"{type(image).__name__} {image.dtype} {tuple(image.shape)}"
    else:
        given = type(image).__name__
    raise TypeError(
        f"expected a PIL image, a uint8 array (H, W, 3) or a float tensor (N, 3, H, W) in [0, 1], got {given}"
    )


def _like(original: Image.Image, marked: Image.Image) -> Image.Image:
    if original.mode in {"1", "L"}:
        result = marked.convert("L")
    elif original.mode in {"LA", "PA", "RGBA"} or "transparency" in original.info:
        result = marked.convert("LA" if original.mode == "LA" else "RGBA")
        result.putalpha(original.convert("RGBA").getchannel("A"))
    else:
        result = marked
    result.info = {name: value for name, value in original.info.items() if name not in {"transparency", "palette"}}
    return result


def _array_to_tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array)).permute(2, 0, 1)[None].float() / 255


def _tensor_to_array(tensor: Tensor) -> np.ndarray:
    picture = to_8bit(tensor.detach().reshape(tensor.shape[-3:]).clamp(0, 1))
    return (picture * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
