"""Two well-known encoder-decoder pairs, small, as baselines for training: everything learned, nothing built in.

They see a picture stretched to a square frame, and their residual is stretched back. Unlike the lattice mark they have
no pilot and no search: whatever geometry they survive, they have to learn.
"""

from abc import ABC, abstractmethod
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Pair(nn.Module, ABC):
    """An encoder and a decoder over one frame.

    Args:
        message_bits: K.
        frame: side of the square that both networks see, px.
    """

    def __init__(self, message_bits: int, frame: int) -> None:
        super().__init__()
        if frame % 16:
            raise ValueError(f"frame must be a multiple of 16 px, got {frame}")
        self.message_bits, self.frame = message_bits, frame

    @abstractmethod
    def encode(self, images: Tensor, signs: Tensor) -> Tensor:
        """Residual ``(N, 3, frame, frame)``, of arbitrary size, for images in [0, 1] and signs ``(N, K)`` of +-1."""

    @abstractmethod
    def decode(self, images: Tensor) -> Tensor:
        """Logits ``(N, K)`` of ``(N, 3, frame, frame)``."""

    def residual(self, images: Tensor, message: Tensor) -> Tensor:
        """Residual at the pictures' own size ``(N, 3, H, W)`` for a bool message ``(N, K)``."""
        change = self.encode(self.framed(images), message.to(images.dtype) * 2 - 1)
        return F.interpolate(change, images.shape[-2:], mode="bilinear", align_corners=False)

    def read(self, images: Tensor) -> Tensor:
        """Logits ``(N, K)`` of pictures of any size."""
        return self.decode(self.framed(images))

    def framed(self, images: Tensor) -> Tensor:
        """Pictures stretched to the frame."""
        if images.shape[-2:] == (self.frame, self.frame):
            return images
        return F.interpolate(images, (self.frame, self.frame), mode="bilinear", antialias=True, align_corners=False)


class HiddenPair(Pair):
    """HiDDeN (Zhu, Kaplan, Johnson, Fei-Fei 2018): convolutions at full size, the message repeated at every pixel.

    Args:
        message_bits: K; 30 in the paper.
        frame: px; 128 in the paper.
        width: channels; 64 in the paper.
        depth: convolutions before the message joins (4 in the paper) and of the decoder (7 there, here ``depth + 3``).
    """

    def __init__(self, message_bits: int = 30, frame: int = 128, width: int = 64, depth: int = 4) -> None:
        super().__init__(message_bits, frame)
        self.before = nn.Sequential(*(Block(3 if i == 0 else width, width) for i in range(depth)))
        self.after = nn.Sequential(Block(width + message_bits + 3, width), nn.Conv2d(width, 3, 1))
        body = [Block(3 if i == 0 else width, width) for i in range(depth + 2)]
        self.decoder = nn.Sequential(*body, Block(width, message_bits), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.last = nn.Linear(message_bits, message_bits)

    def encode(self, images: Tensor, signs: Tensor) -> Tensor:
        """See ``Pair``."""
        everywhere = signs[:, :, None, None].expand(-1, -1, self.frame, self.frame)
        return self.after(torch.cat([self.before(images * 2 - 1), everywhere, images * 2 - 1], 1))

    def decode(self, images: Tensor) -> Tensor:
        """See ``Pair``."""
        return self.last(self.decoder(images * 2 - 1))


class StegaStampPair(Pair):
    """StegaStamp (Tancik, Mildenhall, Ng 2020): a U-Net encoder, and a decoder that first straightens the picture.

    Args:
        message_bits: K; 100 in the paper.
        frame: px; 400 in the paper.
        width: channels of the first level; 32 in the paper.
    """

    def __init__(self, message_bits: int = 100, frame: int = 128, width: int = 32) -> None:
        super().__init__(message_bits, frame)
        self.spread = nn.Linear(message_bits, 3 * (frame // 8) ** 2)
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(6 if i == 0 else widths[i - 1], widths[i], 3, 1 if i == 0 else 2, 1), nn.ReLU())
            for i in range(5)
        )
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(widths[i + 1] + widths[i], widths[i], 3, padding=1), nn.ReLU()) for i in range(4)
        )
        self.out = nn.Conv2d(width, 3, 1)
        self.straighten = nn.Sequential(
            *_strided(3, (width, 2 * width, 4 * width)), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64 * width, 6)
        )
        nn.init.zeros_(self.straighten[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.straighten[-1].bias)  # type: ignore[arg-type]
        self.decoder = nn.Sequential(
            *_strided(3, (width, width, 2 * width, 4 * width)),
            nn.Flatten(),
            nn.Linear(4 * width * (frame // 16) ** 2, 512),
        )
        self.last = nn.Sequential(nn.ReLU(), nn.Linear(512, message_bits))

    def encode(self, images: Tensor, signs: Tensor) -> Tensor:
        """See ``Pair``."""
        sheet = self.spread(signs).view(-1, 3, self.frame // 8, self.frame // 8)
        features = torch.cat([images * 2 - 1, F.interpolate(sheet, (self.frame, self.frame))], 1)
        levels = []
        for layer in self.down:
            features = layer(features)
            levels.append(features)
        for depth in range(3, -1, -1):
            grown = F.interpolate(features, levels[depth].shape[-2:])
            features = self.up[depth](torch.cat([grown, levels[depth]], 1))
        return self.out(features)

    def decode(self, images: Tensor) -> Tensor:
        """See ``Pair``."""
        change = self.straighten(images * 2 - 1).view(-1, 2, 3)
        places = F.affine_grid(torch.eye(2, 3, device=images.device) + change.float(), list(images.shape), False)
        straight = F.grid_sample(images, places.to(images.dtype), align_corners=False, padding_mode="border")
        return self.last(self.decoder(straight * 2 - 1))


class Block(nn.Sequential):
    """Convolution that keeps the size, normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        super().__init__(convolution, nn.BatchNorm2d(outputs), nn.ReLU())

    @property
    def weight(self) -> Tensor:
        """Of the convolution, ``(outputs, inputs, kernel, kernel)``."""
        return cast(nn.Conv2d, self[0]).weight

    @property
    def shift(self) -> Tensor:
        """What the normalisation adds before the ReLU, ``(outputs,)``."""
        return cast(nn.BatchNorm2d, self[1]).bias


def _strided(inputs: int, widths: tuple[int, ...]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Conv2d(inputs, width, 3, stride=2, padding=1), nn.ReLU()]
        inputs = width
    return layers
