"""Per-second curves as they are stored: differences, packed small.

A curve set is an int64 array of shape (series, seconds). Differences of neighbouring seconds
are small and mostly zero: where most are, only the others are kept, each with how far it stands
from the one before. The bytes are the same for the same numbers, whoever packs them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np
import zstandard
from numpy.typing import NDArray

_HEADER = struct.Struct("<BBI")  # how the differences follow, series, seconds
SPARSE, SHORT, LONG = 1, 2, 8
"""All differences as 16 or 64 bits; or, in the order of series and second, those that are not
zero: how many (32 bits), how far each stands from the one before, in a byte, and what they are,
in a byte. What does not fit holds FAR or LARGE, and follows in 32 bits, distances first."""

FAR, LARGE = 255, -128
LEVEL = -1  # a quarter larger than at 1, and twice as fast
_COUNT = struct.Struct("<I")
_MAX_BYTES = 64 * 1024 * 1024

Curves = NDArray[np.int64]


def pack(curves: Curves) -> bytes:
    """(series, seconds) counts to bytes."""
    series, seconds = curves.shape
    flat = np.diff(curves, axis=1, prepend=0).ravel()
    largest = int(np.abs(flat).max(initial=0))
    places = np.flatnonzero(flat)
    if is_sparse(len(places), flat.size) and largest < 2**31:
        distances, numbers = np.diff(places, prepend=0), flat[places]
        far, large = distances >= FAR, np.abs(numbers) >= -LARGE
        body = b"".join(
            [
                _COUNT.pack(len(places)),
                np.where(far, FAR, distances).astype("u1").tobytes(),
                np.where(large, LARGE, numbers).astype("i1").tobytes(),
                distances[far].astype("<i4").tobytes(),
                numbers[large].astype("<i4").tobytes(),
            ]
        )
        return compress(header(SPARSE, series, seconds) + body)
    size = SHORT if largest < 2**15 else LONG
    return compress(header(size, series, seconds) + flat.astype(f"<i{size}").tobytes())


def is_sparse(kept: int, size: int) -> bool:
    """Whether so many of `size` differences are kept alone."""
    return 2 * kept < size


def header(how: int, series: int, seconds: int) -> bytes:
    """What stands before the differences."""
    return _HEADER.pack(how, series, seconds)


def compress(raw: bytes) -> bytes:
    """A header and what follows it, as stored."""
    return zstandard.ZstdCompressor(level=LEVEL).compress(raw)


def unpack(packed: bytes | memoryview) -> Curves:
    """The counts that `pack` was given. Raises ValueError for anything else."""
    return total([packed])


def total(packed: Iterable[bytes | memoryview]) -> Curves:
    """The sum of curve sets: the series that all of them have, as long as the longest.

    Raises ValueError where one is no curve set, or there is none at all.
    """
    decompress = zstandard.ZstdDecompressor().decompress
    try:
        raws = [decompress(bytes(one), max_output_size=_MAX_BYTES) for one in packed]
        heads = [_HEADER.unpack_from(raw) for raw in raws]
        series = min(series for _, series, _ in heads)
        longest = max(seconds for _, _, seconds in heads)
        # one second more: where a curve ends it falls to zero
        differences = np.zeros((series, longest + 1), np.int64)
        for raw, (how, held, seconds) in zip(raws, heads, strict=True):
            _add(raw, how, held, seconds, differences)
    except (zstandard.ZstdError, struct.error, TypeError, IndexError, ValueError) as error:
        raise ValueError("not a packed curve") from error
    return np.cumsum(differences[:, :longest], axis=1)


def _add(raw: bytes, how: int, held: int, seconds: int, differences: Curves) -> None:
    """Add the differences of `held` series of so many seconds, which follow a header."""
    series = len(differences)
    if how == SPARSE:
        places, values = _kept(raw)
        wanted = np.searchsorted(places, series * seconds)
        row, second = np.divmod(places[:wanted], max(seconds, 1))
        differences[row, second] += values[:wanted]
        ends = np.bincount(row, values[:wanted], series).astype(np.int64)
    else:
        body = np.frombuffer(raw, f"<i{how}", offset=_HEADER.size).reshape(held, seconds)[:series]
        differences[:, :seconds] += body
        ends = body.sum(axis=1, dtype=np.int64)
    differences[:, seconds] -= ends


def _kept(raw: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the differences stand that were kept alone, and what they are."""
    (kept,) = _COUNT.unpack_from(raw, _HEADER.size)
    at = _HEADER.size + _COUNT.size
    distances = np.frombuffer(raw, "u1", kept, at).astype(np.int64)
    numbers = np.frombuffer(raw, "i1", kept, at + kept).astype(np.int64)
    wide = np.frombuffer(raw, "<i4", offset=at + 2 * kept)
    far, large = distances == FAR, numbers == LARGE
    distances[far] = wide[: np.count_nonzero(far)]
    numbers[large] = wide[np.count_nonzero(far) :]
    return np.cumsum(distances), numbers
