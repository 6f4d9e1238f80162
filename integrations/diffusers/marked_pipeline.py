"""Every picture that a diffusers pipeline returns is marked: copy this file, or import it from where it lies."""

import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image

from watermark import Watermarker


class MarkedPipeline:
    """A pipeline that is used as before; its outputs are marked, and say their IDs in ``content_ids``.

    Args:
        pipeline: any diffusers pipeline whose output has ``images``.
        marker: marks; see ``Watermarker.load``.
        provider_id: who makes the pictures.
        content_id: gives the ID of the next picture; by default a random one that fits the layout.
    """

    def __init__(
        self, pipeline: Any, marker: Watermarker, provider_id: int, content_id: Callable[[], int] | None = None
    ) -> None:
        self.pipeline, self.marker, self.provider_id = pipeline, marker, provider_id
        self.content_id = content_id or (lambda: secrets.randbelow(2**marker.codec.layout.content_bits))

    def __call__(self, *words: Any, **settings: Any) -> Any:
        """Run the pipeline and mark what it returns, of whatever ``output_type``.

        Returns:
            The pipeline's own output with marked ``images``, and ``content_ids``: one for each picture. With
            ``return_dict=False`` a tuple as before; the IDs are its last member.

        Raises:
            ValueError: for ``output_type="latent"``: there is no picture yet.
        """
        if settings.get("output_type") == "latent":
            raise ValueError(
                'output_type: expected pictures ("pil", "np" or "pt"), got "latent", which cannot be marked'
            )
        output = self.pipeline(*words, **settings)
        images = output[0] if isinstance(output, tuple) else output.images
        ids = [self.content_id() for _ in range(len(images))]
        marked = self._marked(images, ids)
        if isinstance(output, tuple):
            return (marked, *output[1:], ids)
        output.images = marked
        output.content_ids = ids
        return output

    def __getattr__(self, name: str) -> Any:
        """Everything else is the pipeline's: its scheduler, its components, ``set_progress_bar_config``."""
        return getattr(self.pipeline, name)

    def to(self, *words: Any, **settings: Any) -> "MarkedPipeline":
        """Move the pipeline; its pictures are marked where the marker lives."""
        self.pipeline = self.pipeline.to(*words, **settings)
        return self

    def _marked(self, images: Any, ids: list[int]) -> Any:
        if isinstance(images, torch.Tensor):
            return self.marker.embed(images.float().clamp(0, 1), [self.provider_id] * len(ids), ids).to(images.dtype)
        if isinstance(images, np.ndarray):  # (N, H, W, 3) float in [0, 1]
            planes = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
            return self._marked(planes, ids).permute(0, 2, 3, 1).numpy()
        return [self.marker.embed(self._picture(one), self.provider_id, i) for one, i in zip(images, ids, strict=True)]

    @staticmethod
    def _picture(image: Any) -> Image.Image:
        if not isinstance(image, Image.Image):
            raise TypeError(f"expected pictures of Pillow, got {type(image).__name__}")
        return image


def marked(
    pipeline: Any, marker: Watermarker, provider_id: int, content_id: Callable[[], int] | None = None
) -> MarkedPipeline:
    """See ``MarkedPipeline``."""
    return MarkedPipeline(pipeline, marker, provider_id, content_id)
