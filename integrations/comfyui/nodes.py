"""ComfyUI nodes: embed, detect and trace. IMAGE is float ``(N, H, W, 3)`` in [0, 1], as ComfyUI passes it."""

import secrets
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image
from torch import Tensor

from watermark import Watermarker
from watermark.config import default_names
from watermark.keystore import load_key

CATEGORY = "image/watermark"
DEMO_KEY = "public demonstration key"
"""Without a key file: anybody can read and write such marks. The same as the command line's."""
KEY = ("STRING", {"default": "", "tooltip": "key file (watermark key new FILE); empty: the public demonstration key"})


def _schemes() -> list[str]:
    names = default_names("scheme")
    return ["tile_spread", *(name for name in names if name != "tile_spread")]


@lru_cache(maxsize=4)
def _marker(scheme: str, key_file: str) -> Watermarker:
    return Watermarker.load(scheme, key=load_key(Path(key_file)) if key_file else DEMO_KEY)


def _planes(image: Tensor) -> Tensor:
    """``(N, H, W, C)`` to ``(N, 3, H, W)`` as a file of 8 bits would hold it."""
    return image[..., :3].permute(0, 3, 1, 2).float().clamp(0, 1)


class EmbedWatermark:
    """Mark every picture of a batch; put it last, before Save Image."""

    CATEGORY, FUNCTION = CATEGORY, "embed"
    RETURN_TYPES: ClassVar = ("IMAGE", "STRING")
    RETURN_NAMES: ClassVar = ("image", "content_ids")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """What ComfyUI shows as inputs."""
        return {
            "required": {
                "image": ("IMAGE",),
                "provider_id": ("INT", {"default": 1, "min": 0, "max": 2**31 - 1}),
                "content_id": (
                    "INT",
                    {
                        "default": -1,
                        "min": -1,
                        "max": 2**40 - 1,
                        "tooltip": "-1: random for each; else a batch counts up",
                    },
                ),
                "scheme": (_schemes(),),
                "key_file": KEY,
            }
        }

    @classmethod
    def IS_CHANGED(cls, content_id: int = -1, **_: Any) -> float:  # noqa: N802
        """A random ID is another one each time, so the node runs again."""
        return float("nan") if content_id < 0 else 0.0

    def embed(self, image: Tensor, provider_id: int, content_id: int, scheme: str, key_file: str) -> tuple[Tensor, str]:
        """``(N, H, W, 3)`` in and out; the IDs as text, one a line."""
        marker = _marker(scheme, key_file)
        bits = marker.codec.layout.content_bits
        count = len(image)
        ids = [secrets.randbelow(2**bits) if content_id < 0 else content_id + i for i in range(count)]
        marked = marker.embed(_planes(image).to(marker.device), [provider_id] * count, ids)
        marked = marked.permute(0, 2, 3, 1).to(image.device)
        return torch.cat([marked, image[..., 3:].to(marked)], -1), "\n".join(map(str, ids))


class DetectWatermark:
    """Say of every picture whether it is marked, and whose."""

    CATEGORY, FUNCTION = CATEGORY, "detect"
    RETURN_TYPES: ClassVar = ("STRING", "BOOLEAN")
    RETURN_NAMES: ClassVar = ("answer", "all_marked")
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """What ComfyUI shows as inputs."""
        return {"required": {"image": ("IMAGE",), "scheme": (_schemes(),), "key_file": KEY}}

    def detect(self, image: Tensor, scheme: str, key_file: str) -> dict[str, Any]:
        """``(N, H, W, 3)`` in; one line for each picture, shown in the node too."""
        marker = _marker(scheme, key_file)
        found = marker.detect(_planes(image).to(marker.device))
        lines = [
            "not marked"
            if not one.is_marked
            else f"marked, too faint to say whose (log10 p {one.log10_p:.1f})"
            if one.name_uncertain
            else f"marked, provider {one.provider_id}, content {one.content_id} (log10 p {one.log10_p:.1f})"
            for one in found
        ]
        text = "\n".join(lines)
        return {"ui": {"text": [text]}, "result": (text, all(one.is_marked for one in found))}


class TraceWatermark:
    """Ask a registry whose picture this is; see ``watermark issue`` and ``watermark trace``."""

    CATEGORY, FUNCTION = CATEGORY, "trace"
    RETURN_TYPES: ClassVar = ("STRING",)
    RETURN_NAMES: ClassVar = ("answer",)
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """What ComfyUI shows as inputs."""
        key = ("STRING", {"default": "", "tooltip": "the key file that the registry's pictures were issued with"})
        registry = ("STRING", {"default": "watermark-registry.db", "tooltip": "SQLite file or database URL"})
        return {"required": {"image": ("IMAGE",), "key_file": key, "registry": registry}}

    def trace(self, image: Tensor, key_file: str, registry: str) -> dict[str, Any]:
        """``(N, H, W, 3)`` in; the answer of `watermark trace` for each picture."""
        import contextlib
        import io
        import tempfile

        from watermark.cli import main

        if not key_file:
            raise ValueError("key_file: expected the file of the key that the pictures were issued with, got none")
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for number, planes in enumerate(_planes(image)):
                file = Path(folder) / f"picture_{number}.png"
                array = (planes.permute(1, 2, 0) * 255).round().byte().cpu().numpy()
                Image.fromarray(array).save(file)
                files.append(str(file))
            said, refused = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(refused):
                trace = ["--key-file", key_file, "--registry", registry]
                status = max(main(["trace", file, *trace]) for file in files)
            if status == 2:
                raise RuntimeError(refused.getvalue().strip().replace(f"{folder}/", ""))
        text = said.getvalue().strip().replace(f"{folder}/", "")
        return {"ui": {"text": [text]}, "result": (text,)}
