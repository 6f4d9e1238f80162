"""All attacks of a suite on one picture: people would rather look than read."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor

from attacks.base import Attack
from attacks.functional import codec

LABEL = 30
"""Pixels of caption under every tile."""


@dataclass(frozen=True)
class Tile:
    """One attack at one rung of its ladder."""

    name: str
    parameter: str | None
    strength: float | None
    attack: Attack


def contact_sheet(
    image: Tensor, cells: Iterable[Tile], columns: int = 6, tile: int = 220, seed: int = 0
) -> Image.Image:
    """Draw every attack on one picture, with its name, rung and cost in PSNR (dB; "moves pixels" where undefined).

    Args:
        image: ``(3, H, W)`` float in [0, 1].
        cells: what to draw, in order; computed one at a time, so an iterator keeps memory small.
        columns: tiles per row.
        tile: side of a tile in pixels; pictures are scaled to fit it.
        seed: of every attack's generator.

    Returns:
        An RGB picture.
    """
    tiles = [_tile(image, cell, tile, seed) for cell in cells]
    if not tiles:
        raise ValueError("expected at least one cell to draw, got none")
    wide, high = tile + 8, max(picture.height for picture in tiles) + 8
    sheet = Image.new("RGB", (min(columns, len(tiles)) * wide, -(-len(tiles) // columns) * high), "white")
    for i, picture in enumerate(tiles):
        sheet.paste(picture, (i % columns * wide + 4, i // columns * high + 4))
    return sheet


def psnr(first: Tensor, second: Tensor) -> float:
    """PSNR in dB of two pictures in [0, 1], both rounded to 8 bits; infinite if they are equal."""
    error = ((first * 255).round() - (second * 255).round()).square().mean()
    return float(10 * torch.log10(255**2 / error))


def _tile(image: Tensor, cell: Tile, side: int, seed: int) -> Image.Image:
    with torch.no_grad():
        attacked = cell.attack(image[None], torch.Generator().manual_seed(seed))[0]
    moves = cell.attack.moves(image.shape[-2], image.shape[-1])
    cost = "moves pixels" if moves else f"{psnr(image, attacked):.1f} dB"
    size = "" if attacked.shape == image.shape else f", {attacked.shape[-1]}x{attacked.shape[-2]}"
    picture = codec.to_pillow(attacked[None])[0]
    fitted = ImageOps.contain(picture, (side, side), Image.Resampling.LANCZOS)
    shape = min(side, round(side * image.shape[-2] / image.shape[-1]))
    fitted.thumbnail((side, shape))
    framed = Image.new("RGB", (side, shape + LABEL), "white")
    framed.paste(fitted, ((side - fitted.width) // 2, (shape - fitted.height) // 2))
    pen, font = ImageDraw.Draw(framed), ImageFont.load_default(11)
    rung = "" if cell.parameter is None else f"  {cell.parameter} {cell.strength:g}"
    pen.text((2, shape + 1), cell.name + rung, fill="black", font=font)
    pen.text((2, shape + 14), cost + size, fill="#555555", font=font)
    return framed
