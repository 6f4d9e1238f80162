"""The figures of README and docs, made by marking and reading: ``python docs/figures.py`` writes docs/assets/*.webp."""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from attacks import Jpeg, Rotation, Screenshot
from watermark import Detection, Watermarker
from watermark.pixels import to_tensor
from watermark.synchronization.change import change

PROVIDER, CONTENT = 7, 123_456
INK, PAPER, ACCENT = "#1b1f24", "#ffffff", "#c2410c"
TILE = 300


def main() -> None:
    """Write all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("assets"))
    folder = parser.parse_args().output
    marker = Watermarker.load("tile_spread", key="the figures of the documentation")
    picture = Image.fromarray(data.coffee())
    marked = marker.embed(picture, PROVIDER, CONTENT)
    for name, figure in (
        ("readme", readme(marker, picture, marked)),
        ("waves", waves(marker, picture, marked)),
        ("undone", undone(marker, marked)),
    ):
        figure.save(folder / f"{name}.webp", quality=82, method=6)


def readme(marker: Watermarker, picture: Image.Image, marked: Image.Image) -> Image.Image:
    """Original, marked, what was changed, a screenshot of it, and what is read from that."""
    shot = Screenshot(scale=0.67).picture(marked.rotate(3, Image.Resampling.BICUBIC))
    shot = Jpeg(60).picture(shot)
    found = marker.detect(shot)
    assert (found.provider_id, found.content_id) == (PROVIDER, CONTENT), "the figure would not be true"
    tiles = [
        _tile(picture, "original", ""),
        _tile(marked, "marked", f"PSNR {_psnr(picture, marked):.1f} dB"),
        _tile(difference(picture, marked), "what was changed", "difference x20"),
        _tile(
            shot,
            "turned, screenshot, JPEG 60",
            f"read: provider {found.provider_id}, content {found.content_id}",
            _evidence(found),
        ),
    ]
    return _row(tiles)


def waves(marker: Watermarker, picture: Image.Image, marked: Image.Image) -> Image.Image:
    """The mark, and where its waves stand in the spectrum; the pilot in another colour."""
    side = TILE * 2
    spectrum = Image.new("RGB", (side, side), PAPER)
    pen, carriers = ImageDraw.Draw(spectrum), marker.scheme.carriers
    lines, pilot = carriers.frequencies.cpu().numpy(), carriers.is_pilot.cpu().numpy()
    scale = side / 2 / np.abs(lines).max() * 0.97
    for (x, y), is_pilot in sorted(zip(lines, pilot, strict=True), key=lambda one: one[1]):
        for sign in (1, -1):
            at = (side / 2 + sign * x * scale, side / 2 + sign * y * scale)
            radius = 4.5 if is_pilot else 2.5
            colour = ACCENT if is_pilot else "#5b6b7a"
            pen.ellipse([at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius], fill=colour)
    return _row(
        [
            _tile(picture, "original", ""),
            _tile(difference(picture, marked), "the mark", "difference x20: strong in texture, weak in flat areas"),
            _tile(spectrum, "its waves", f"{len(lines)} points of the spectrum, {int(pilot.sum())} of them the pilot"),
        ]
    )


def undone(marker: Watermarker, marked: Image.Image) -> Image.Image:
    """What somebody made of a marked picture, and the frame in the original that the reader says it is."""
    made = Rotation(12).picture(marked).crop((120, 70, 500, 330)).resize((304, 208), Image.Resampling.LANCZOS)
    made = Jpeg(60).picture(made)
    before, now = (marker.scheme.align(to_tensor(one)) for one in (marked, made))
    (what,) = change(before, now, (marked.height, marked.width), (made.height, made.width))
    corners = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) * torch.tensor(
        [made.width / 2, made.height / 2]
    )
    back = torch.linalg.inv(before.matrix[0]) @ (now.matrix[0] @ corners.T + (now.shift - before.shift).T)
    placed = marked.copy()
    points = [(float(x) + marked.width / 2, float(y) + marked.height / 2) for x, y in back.T]
    ImageDraw.Draw(placed).line(points, fill="#ffffff", width=7)
    ImageDraw.Draw(placed).line(points, fill=ACCENT, width=4)
    return _row(
        [
            _tile(marked, "marked", ""),
            _tile(made, "what came back", "turned, cut, scaled, JPEG 60"),
            _tile(placed, "where the reader finds it", *_two_lines(what.words())),
        ]
    )


def difference(first: Image.Image, second: Image.Image, times: int = 20) -> Image.Image:
    """The change on grey, made ``times`` as strong."""
    change_of = np.asarray(second, np.float32) - np.asarray(first, np.float32)
    return Image.fromarray((128 + times * change_of).clip(0, 255).astype(np.uint8))


def _psnr(first: Image.Image, second: Image.Image) -> float:
    error = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def _two_lines(words: str) -> tuple[str, str]:
    """Cut at the last comma."""
    first, _, last = words.rpartition(", ")
    return first, last


def _evidence(found: Detection) -> str:
    return f"log10 p {found.log10_p:.0f}"


def _tile(picture: Image.Image, title: str, *said: str) -> Image.Image:
    tile = Image.new("RGB", (TILE, 200 + 3 * 17 + 12), PAPER)
    small = picture.convert("RGB")
    small.thumbnail((TILE, 200), Image.Resampling.LANCZOS)
    tile.paste(small, ((TILE - small.width) // 2, 200 - small.height))
    pen = ImageDraw.Draw(tile)
    pen.text((TILE / 2, 214), title, fill=INK, font=ImageFont.load_default(15), anchor="mm")
    for number, line in enumerate(filter(None, said)):
        pen.text((TILE / 2, 232 + 16 * number), line, fill="#57606a", font=ImageFont.load_default(12), anchor="mm")
    return tile


def _row(tiles: list[Image.Image], gap: int = 12) -> Image.Image:
    row = Image.new("RGB", (len(tiles) * (TILE + gap) - gap + 2 * gap, tiles[0].height + gap), PAPER)
    for number, tile in enumerate(tiles):
        row.paste(tile, (gap + number * (TILE + gap), gap))
    return row


if __name__ == "__main__":
    main()
