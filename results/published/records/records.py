"""How many bits, from how many pixels, at how little loss: rows of one reading each, appended as they come.

    python results/published/records/records.py KODAK OUTPUT.jsonl
    python results/published/records/table.py OUTPUT.jsonl

KODAK is a folder of the 24 Kodak pictures; twelve of them, every second, are read alone (.39 MP), and all in twelve
mosaics of eight (3.1 MP: 2 x 4 pictures at full size), for no larger photographs were at hand. A row that is there is not read again.
"""

import json
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

import attacks
from watermark.codec import Payload
from watermark.images import to_8bit
from watermark.pixels import to_tensor
from watermark.watermarker import Watermarker

Case = dict[str, Any]
EVERYDAY = {
    "none": attacks.Identity(0),
    "JPEG 50": attacks.Jpeg(50),
    "half size": attacks.Resize(0.5),
    "crop 50 %": attacks.Crop(0.5),
    "rotation 17": attacks.Rotation(17),
}
MOST_CHANNEL_BITS = 1798
"""Of `tile_spread`: more lines its band does not hold."""
MOSAICS = 12
SQUARES = (96, 128, 160, 192, 256, 320, 384)
FAINT = (48, 50, 52, 54, 56, 58)


def cases(singles: list[int]) -> Iterator[Case]:
    """What is to be read."""
    for db, picture, attack in product((45, 42), range(MOSAICS), EVERYDAY):
        yield case("bits", "tile_spread", "l1024", db, f"mosaic {picture}", attack)
    for scheme, side, picture in product(("tile_spread", "learned"), SQUARES, singles):
        yield case("square", scheme, "l64", 42, f"kodak {picture}", f"{side} px, JPEG 75")
    for db, picture, attack in product(FAINT, singles, ("none", "JPEG 75")):
        yield case("faint", "tile_spread", "l64", db, f"kodak {picture}", attack)
    for picture, attack in product(singles, EVERYDAY):
        yield case("bits", "tile_spread", "l256", 45, f"kodak {picture}", attack)


def mosaic(wide: list[Tensor], number: int) -> Tensor:
    """Eight of the pictures, 2 x 4; three mosaics in a row hold each picture once."""
    order = torch.randperm(len(wide), generator=torch.Generator().manual_seed(number // 3)).tolist()
    chosen = [wide[place] for place in order[8 * (number % 3) : 8 * (number % 3) + 8]]
    return torch.cat([torch.cat(chosen[2 * row : 2 * row + 2], -1) for row in range(4)], -2)


def case(what: str, scheme: str, layout: str, db: float, picture: str, attack: str) -> Case:
    """The fields that name a row."""
    return {"what": what, "scheme": scheme, "layout": layout, "psnr": db, "picture": picture, "attack": attack}


def attacked(marked: Tensor, name: str, seed: int) -> Tensor:
    """One picture after the attack of a case."""
    dice = torch.Generator().manual_seed(seed)
    if name.endswith("px, JPEG 75"):
        side = int(name.split()[0])
        top, left = (int(torch.randint(room - side + 1, (), generator=dice)) for room in marked.shape[-2:])
        return attacks.Jpeg(75)(marked[..., top : top + side, left : left + side].contiguous())
    return attacks.Jpeg(75)(marked) if name == "JPEG 75" else EVERYDAY[name](marked, dice)


class Reader:
    """Marks a picture once for all attacks that follow each other."""

    def __init__(self, pictures: dict[str, Tensor]) -> None:
        self.pictures = pictures
        self.which: object = None
        self.settings: object = None

    def read(self, of: Case, number: int) -> Case:
        """The row of a case."""
        which = tuple(of[name] for name in ("scheme", "layout", "psnr", "picture"))
        if which != self.which:
            settings = (of["scheme"], of["layout"], of["psnr"])
            if self.settings != settings:
                more = {"message_bits": MOST_CHANNEL_BITS} if of["layout"] == "l1024" else {}
                asked = {"layout": of["layout"], "target_psnr": of["psnr"], "search": "thorough", "device": "cpu"}
                self.marker = Watermarker.load(of["scheme"], key="records", **asked, **more)
                self.settings = settings
            bits = self.marker.codec.layout
            dice = torch.Generator().manual_seed(number)
            content = int.from_bytes(bytes(torch.randint(256, (128,), generator=dice).tolist()), "big")
            self.payload = Payload(content % 2**bits.provider_bits, content % 2**bits.content_bits)
            original = self.pictures[of["picture"]]
            self.marked = to_8bit(self.marker.embed_batch(original, [self.payload]))
            self.loss = float(-10 * (self.marked - original).square().mean().log10())
            self.which = which
        seen = to_8bit(attacked(self.marked, of["attack"], number))
        readout = self.marker.read(seen)
        found = self.marker.detector.detect(readout, expected=[self.payload])[0]
        right = self.marker.codec.encode([self.payload])[0]
        soft = readout.reading(0, found.reading).double() * (2.0 * right - 1)
        exact = (found.provider_id, found.content_id) == (self.payload.provider_id, self.payload.content_id)
        return {
            **of,
            "pixels": seen.shape[-2] * seen.shape[-1],
            "marked_psnr": round(self.loss, 2),
            "found": found.is_marked,
            "exact": found.is_marked and exact,
            "right_bits": round(float((soft > 0).double().mean()), 4),
            "snr": round(float(soft.mean() ** 2 / (2 * soft.var())), 4) if soft.mean() > 0 else 0.0,
        }


def main(folder: Path, output: Path) -> None:
    """Read what is missing."""
    files = sorted(path for path in folder.iterdir() if path.suffix == ".png")
    kodak = [to_tensor(Image.open(path).convert("RGB")) for path in files]
    wide = [one if one.shape[-1] > one.shape[-2] else one.rot90(1, (-2, -1)) for one in kodak]
    mosaics = {f"mosaic {i}": mosaic(wide, i) for i in range(MOSAICS)}
    singles = list(range(0, len(kodak), 2))
    done = [json.loads(line) for line in output.read_text().splitlines()] if output.exists() else []
    known = {tuple(row[name] for name in case("", "", "", 0, "", "")) for row in done}
    reader = Reader({f"kodak {i}": kodak[i] for i in singles} | mosaics)
    with output.open("a") as file, torch.no_grad():
        for number, of in enumerate(cases(singles)):
            if tuple(of.values()) not in known:
                file.write(json.dumps(reader.read(of, number)) + "\n")
                file.flush()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
