"""Sixty-four bits of a text or a number, the same on every machine and in every version."""

from __future__ import annotations

from typing import Any

import numpy as np

from engagement.pipeline.kernel.compiled import compiled

# Odd factors that keep what is added up apart: digits of pi, e, and the roots of 2 and 3.
ONE, TWO = np.uint64(0x243F6A8885A308D3), np.uint64(0xB7E151628AED2A6B)
THREE, FOUR = np.uint64(0x6A09E667F3BCC909), np.uint64(0xBB67AE8584CAA73B)


@compiled
def mix(value: Any) -> Any:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014) of a value plus its increment."""
    value = np.uint64(value) + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@compiled
def hash_texts(offsets: Any, data: Any, seed: Any) -> Any:
    """64 bits of each text of an Arrow string array, given its offsets and bytes."""
    hashes = np.empty(len(offsets) - 1, np.uint64)
    for i in range(len(hashes)):
        state = mix(seed)
        word, filled = np.uint64(0), 0
        for at in range(offsets[i], offsets[i + 1]):
            word |= np.uint64(data[at]) << np.uint64(8 * filled)
            filled += 1
            if filled == 8:
                state = mix(state ^ word)
                word, filled = np.uint64(0), 0
        state = mix(state ^ word)
        hashes[i] = mix(state ^ np.uint64(offsets[i + 1] - offsets[i]))
    return hashes
