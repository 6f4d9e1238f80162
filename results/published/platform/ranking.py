"""Is the right key of 1,000 among those that are decoded? ``python results/published/platform/ranking.py --words 100``.

Random payloads through Gaussian noise at soft correlations around what it takes to prove a mark, among five readings of
pure noise; ``l64`` in 1,024 bits.
"""

import argparse
import time

import numpy as np
import torch

from watermark.codec import Codec, Layout, Payload
from watermark.codec.limiter import limited
from watermark.codec.ranking import Ranking
from watermark.detection.ring import FIRST, MORE

KEYS = 1000


def main() -> None:
    """A table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, default=100, help="at each correlation")
    arguments = parser.parse_args()
    codecs = [Codec(Layout(), 1024, f"key {i}", sync_key="shared") for i in range(KEYS)]
    ranking, rng = Ranking(codecs, list(range(KEYS))), np.random.default_rng(1)
    print(f"| soft correlation z | first of {KEYS} keys x 6 readings | among the first {FIRST + MORE} | n | CPU ms |")
    print("|---" * 5 + "|")
    for z in (11.0, 12.0, 13.0, 14.0):
        first = among = 0
        spent = 0.0
        for _ in range(arguments.words):
            key = int(rng.integers(KEYS))
            signs = codecs[key].encode([Payload(key, int(rng.integers(2**40)))]).numpy() * 2.0 - 1
            share = z / 1024**0.5
            own = share * signs + rng.standard_normal(signs.shape) * (1 - share**2) ** 0.5
            soft = limited(torch.from_numpy(np.concatenate([own, rng.standard_normal((5, 1024))]))).numpy()
            start = time.process_time()
            best = ranking.best(soft, FIRST + MORE)
            spent += time.process_time() - start
            first += best[0] == (0, key)
            among += (0, key) in best
        n = arguments.words
        print(f"| {z:.0f} | {first} | {among} | {n} | {1000 * spent / n:.0f} |", flush=True)


if __name__ == "__main__":
    main()
