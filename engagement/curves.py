"""Per-second curves as they are stored: differences, packed small.

A curve set is an int64 array of shape (series, seconds). Differences of neighbouring seconds
are small and mostly zero, so they pack into int16 where they fit and compress well; the bytes
are the same for the same numbers, whoever packs them.
"""

from __future__ import annotations

import struct

import numpy as np
import zstandard
from numpy.typing import NDArray

_HEADER = struct.Struct("<BBI")  # bytes per difference, series, seconds
LEVEL = 1  # no larger than at 3, and faster
_MAX_BYTES = 64 * 1024 * 1024

Curves = NDArray[np.int64]


def pack(curves: Curves) -> bytes:
    """(series, seconds) counts to bytes."""
    series, seconds = curves.shape
    differences = np.diff(curves, axis=1, prepend=0)
    size = 2 if not differences.size or np.abs(differences).max() < 2**15 else 8
    body = np.ascontiguousarray(differences, dtype=f"<i{size}").tobytes()
    return zstandard.ZstdCompressor(level=LEVEL).compress(header(size, series, seconds) + body)


def header(size: int, series: int, seconds: int) -> bytes:
    """What stands before differences of `size` bytes."""
    return _HEADER.pack(size, series, seconds)


def unpack(packed: bytes | memoryview) -> Curves:
    """The counts that `pack` was given. Raises ValueError for anything else."""
    try:
        raw = zstandard.ZstdDecompressor().decompress(bytes(packed), max_output_size=_MAX_BYTES)
        size, series, seconds = _HEADER.unpack_from(raw)
        differences = np.frombuffer(raw, dtype=f"<i{size}", offset=_HEADER.size)
        return np.cumsum(differences.reshape(series, seconds), axis=1, dtype=np.int64)
    except (zstandard.ZstdError, struct.error, TypeError) as error:
        raise ValueError("not a packed curve") from error


def add(total: Curves, part: Curves) -> Curves:
    """The sum of two curve sets; the shorter one is zero beyond its end."""
    if part.shape[1] > total.shape[1]:
        total, part = part, total
    total = total.copy()
    total[:, : part.shape[1]] += part
    return total
