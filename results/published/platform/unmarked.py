"""False positives: many keys on unmarked, attacked pictures, one key at a time and rings of a thousand.

    python results/published/platform/unmarked.py PICTURES rows.jsonl --scheme tile_spread   # goes on where it was stopped
    python results/published/platform/unmarked.py rows.jsonl --table

A search is one picture after one attack, under a key of the scheme of its own (where several providers share it,
``sync_key``). What it read is shown to ``--keys`` providers' keys, one at a time, and to ``--rings`` rings of 1,000
keys. The promise is made over these keys: given what was read, their p-values are independent. One key gives two
p-values: of one payload named beforehand, which pays for the readings, and of the blind answer, which also pays for
every code word and is 1 where no reading has right check bits. A ring's pays for its 1,000 keys as well. The same keys
look at every picture; their sign pairs are of one ``sync_key``, which is not the searches'.
"""

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path

import torch
from scipy.stats import beta
from torch import Tensor

from attacks import Brightness, Crop, DefocusBlur, GaussianBlur, GaussianNoise, Jpeg, ResizeBack, Rotation, Screenshot
from watermark import Watermarker, files
from watermark.codec import Codec, Layout, Payload
from watermark.detection import RingDetector
from watermark.detection.detector import Detector
from watermark.images import to_8bit
from watermark.pixels import to_tensor

LEVELS = (1e-1, 1e-2, 1e-3, 1e-6)
RING = 1000
ATTACKS: dict[str, Callable[[Tensor, list[torch.Generator]], Tensor]] = {
    "nothing": lambda image, _: image,
    "JPEG 50": Jpeg(50),
    "JPEG 10": Jpeg(10),
    "blur 1.5": GaussianBlur(1.5),
    "noise .1": GaussianNoise(0.1),
    "crop .5": Crop(0.5),
    "rotation 9": Rotation(9),
    "half and back": ResizeBack(0.5),
    "brightness 1.5": Brightness(1.5),
    "screenshot .67": Screenshot(0.67),
    "defocus 6": DefocusBlur(6),  # read twice
}


def measure(scheme: str, picture: Path, attack: str, detectors: list[Detector], rings: list[RingDetector]) -> dict:
    """One search, and what every key and ring makes of it: log10 p."""
    marker = Watermarker.load(scheme, key="nobody's", sync_key=f"{picture.name} {attack}", device="cpu")
    generator = torch.Generator().manual_seed(0)
    readout = marker.read(to_8bit(ATTACKS[attack](to_tensor(files.load(picture)), [generator])))
    named, blind = [], []
    for number, detector in enumerate(detectors):
        (found,) = detector.detect(readout, expected=[Payload(number, 1_000_003 * number)])
        named.append(found.log10_p_expected)
        blind.append(found.log10_p)
    ring = [each.detect(readout)[0].log10_p for each in rings]
    return {"scheme": scheme, "picture": picture.name, "attack": attack, "readings": int(readout.readings[0]),
            "named": named, "blind": blind, "ring": ring}  # fmt: skip


def table(rows: list[dict]) -> str:
    """Markdown: counts at or below each level against what is promised; 95 % Clopper-Pearson intervals."""
    lines = [
        "| scheme | p-value | searches | trials | at or below | promised, at most | found | rate |",
        "|---" * 8 + "|",
    ]
    words = {"named": "one key, a payload named beforehand", "blind": "one key, blind", "ring": f"{RING:,} keys, blind"}
    for scheme in sorted({row["scheme"] for row in rows}):
        mine = [row for row in rows if row["scheme"] == scheme]
        for kind, name in words.items():
            found = [p for row in mine for p in row[kind]]
            for level in LEVELS if found else ():
                count, n = sum(p <= math.log10(level) for p in found), len(found)
                low = beta.ppf(0.025, count, n - count + 1) if count else 0.0
                high = beta.ppf(0.975, count + 1, n - count)
                cells = (scheme, name, len(mine), f"{n:,}", f"{level:g}", f"{level * n:.3g}", count)
                lines.append(f"| {' | '.join(map(str, cells))} | {count / n:.1e} [{low:.1e} to {high:.1e}] |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Search what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+", metavar="PICTURES ROWS")
    parser.add_argument("--scheme", default="tile_spread")
    parser.add_argument("--keys", type=int, default=24)
    parser.add_argument("--rings", type=int, default=8)
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=list(ATTACKS), metavar="ATTACK")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    store = arguments.paths[-1]
    rows = [json.loads(line) for line in store.read_text().splitlines()] if store.exists() else []
    if arguments.table:
        print(table(rows), end="")  # noqa: T201 - a script prints
        return
    torch.set_num_threads(1)
    bits = Watermarker.load(arguments.scheme, key="any", device="cpu").scheme.message_bits

    def codec(name: str) -> Codec:
        return Codec(Layout(), bits, name, sync_key="another")

    detectors = [Detector(codec(f"unmarked {number}")) for number in range(arguments.keys)]
    rings = [
        RingDetector({number: codec(f"ring {ring}, {number}") for number in range(RING)})
        for ring in range(arguments.rings)
    ]
    done = {(row["scheme"], row["picture"], row["attack"]) for row in rows}
    for attack in arguments.attacks:
        for picture in sorted(files.find_pictures(arguments.paths[0])):
            if (arguments.scheme, picture.name, attack) not in done:
                row = measure(arguments.scheme, picture, attack, detectors, rings)
                with store.open("a") as file:
                    file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
