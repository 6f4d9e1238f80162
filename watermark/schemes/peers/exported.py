"""What ``watermark.schemes.peers.export`` writes: the authors' traced networks behind the interface that we read."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 256
"""Px that WAM, MBRS and InvisMark work at."""
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Pair(nn.Module):
    """An encoder and a decoder of pictures of 256 px in ``[-1, 1]``; the decoder answers 0 and 1 about .5."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, bits: int) -> None:
        super().__init__()
        picture, word = torch.zeros(1, 3, SIDE, SIDE), torch.ones(1, bits)
        self.encoder, self.decoder = torch.jit.trace(encoder, (picture, word)), torch.jit.trace(decoder, picture)

    @torch.jit.export
    def embed(self, imgs: Tensor, msgs: Tensor) -> Tensor:
        """``(N, 3, 256, 256)`` in ``[0, 1]`` and ``(N, K)`` to marked pictures."""
        return (self.encoder(imgs * 2 - 1, msgs) + 1) / 2

    @torch.jit.export
    def detect(self, imgs: Tensor) -> Tensor:
        """``(N, 1 + K)``; the first column says nothing."""
        bits = self.decoder(imgs * 2 - 1) - 0.5
        return torch.cat([torch.ones_like(bits[:, :1]), bits], 1)

    def forward(self, imgs: Tensor) -> Tensor:
        """As ``detect``."""
        return self.detect(imgs)


class Localized(nn.Module):
    """WAM: a change at 256 px, enlarged, held back where it would be seen; every pixel read, the marked ones counted.

    Its own rule for any size, and its own strength.
    """

    mean: Tensor
    spread: Tensor

    def __init__(
        self, embedder: nn.Module, detector: nn.Module, attenuation: nn.Module, bits: int, strength: float
    ) -> None:
        super().__init__()
        picture, word = torch.zeros(1, 3, SIDE, SIDE), torch.ones(1, bits)
        self.embedder, self.detector = torch.jit.trace(embedder, (picture, word)), torch.jit.trace(detector, picture)
        noise = torch.rand(1, 3, SIDE, SIDE)  # both kinds of luminance, so that neither is traced away
        self.attenuation, self.strength = torch.jit.trace(attenuation, (noise, noise)), strength
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("spread", torch.tensor(SPREAD)[:, None, None])

    @torch.jit.export
    def embed(self, imgs: Tensor, msgs: Tensor) -> Tensor:
        """Pictures of any size in ``[0, 1]`` and ``(N, K)`` to marked pictures."""
        images = (imgs - self.mean) / self.spread
        size = [imgs.shape[2], imgs.shape[3]]
        small = F.interpolate(images, [256, 256], mode="bilinear", align_corners=False, antialias=True)
        change = F.interpolate(self.embedder(small, msgs), size, mode="bilinear", align_corners=False, antialias=True)
        return self.attenuation(images, images + self.strength * change) * self.spread + self.mean

    @torch.jit.export
    def detect(self, imgs: Tensor) -> Tensor:
        """``(N, 1 + K)``: how much of the picture is marked, then the bits as its marked pixels say them."""
        images = (imgs - self.mean) / self.spread
        small = F.interpolate(images, [256, 256], mode="bilinear", align_corners=False, antialias=True)
        said = self.detector(small)
        marked = torch.sigmoid(said[:, :1])
        bits = (said[:, 1:] * marked).sum([2, 3]) / marked.sum([2, 3]).clamp_min(1e-6)
        return torch.cat([marked.mean([2, 3]) - 0.5, bits], 1)

    def forward(self, imgs: Tensor) -> Tensor:
        """As ``detect``."""
        return self.detect(imgs)


class Features(nn.Module):
    """Whitened features ``(N, D)`` of pictures of any size in ``[0, 1]``."""

    mean: Tensor
    spread: Tensor

    def __init__(self, backbone: nn.Module, whitening: nn.Module) -> None:
        super().__init__()
        self.network = torch.jit.trace(nn.Sequential(backbone, whitening), torch.zeros(1, 3, 224, 224))
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("spread", torch.tensor(SPREAD)[:, None, None])

    def forward(self, imgs: Tensor) -> Tensor:
        """See the class."""
        return self.network((imgs - self.mean) / self.spread)
