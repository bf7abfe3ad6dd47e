"""How often the 95 % interval of a 28-day reach from sketches holds the true number.

Each draw is a title of its own: people of whom some come often and most hardly ever, and on each
day a crowd besides. Days are kept as sketches; the reach is what their union says.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from bench import ground
from engagement import sketches as reading
from engagement.pipeline import sketches

DRAWS = 1000


def draws(count: int) -> tuple[int, float]:
    """(in how many the interval held the truth, the 95th percentile of the error's size)."""
    random = np.random.default_rng(20260831)
    inside, off = 0, []
    for _ in range(count):
        people = int(random.integers(6_000, 30_000))
        # ids are hashed with a key, so what is drawn of them is drawn evenly
        hashes = np.unique(random.integers(1, 2**63, people, np.uint64))
        come = random.random((28, 1)) * random.random(len(hashes)) < 0.1
        come |= random.random((28, len(hashes))) < random.random() * 0.2
        days = [sketches.to_bytes(sketches.smallest(hashes[day])) for day in come]
        estimate, low, high = reading.union(days)
        reach = int(come.any(axis=0).sum())
        if reach <= sketches.K:
            raise SystemExit("a reach that is exact tries nothing")
        inside += low <= reach <= high
        off.append(abs(estimate / reach - 1))
    return inside, float(np.quantile(off, 0.95))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # nothing is generated
    count = parser.parse_args().draws
    inside, off = draws(count)
    rows = [
        (f"the true reach is inside its interval, of {count:,} draws", f"{inside:,}"),
        ("95 of 100 estimates are off by less than", f"{off:.1%}"),
    ]
    sys.stdout.write(ground.table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
