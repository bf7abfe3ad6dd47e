"""Small samples of viewers that merge: theta sketches, and who played what.

A viewer is a 63-bit keyed hash. A sketch keeps the 4,096 smallest of them, as the bytes of a
compact theta sketch of Apache DataSketches (theta sketch framework, Dasgupta, Lang, Rhodes and
Thaler 2016), so that its own library reads them; with no more viewers than that it is exact.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from datasketches import compact_theta_sketch
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

K = 4096
EVERYTHING = 2**63 - 1
"""The theta of a sketch that left nothing out."""

_SEED_HASH = 0x93CC  # of DataSketches' default seed 9001: it refuses a sketch with another
_EMPTY = struct.pack("<BBBBBBH", 1, 3, 3, 0, 0, 0x1E, _SEED_HASH)
_PREAMBLE = struct.Struct("<BBBBBBHIf")  # longs, version, family, -, -, flags, seed, retained, p
_CONTENT = struct.Struct("<QI")  # theta, viewers


@dataclass(frozen=True)
class Viewers:
    """Distinct viewers as sorted hashes; all of those below `theta`."""

    hashes: Hashes
    theta: int = EVERYTHING

    @property
    def exact(self) -> bool:
        return self.theta == EVERYTHING

    def count(self) -> int:
        """How many there are: exact below 4,096, else the estimate, rounded."""
        if self.exact:
            return len(self.hashes)
        return round(len(self.hashes) * (2.0**63 / self.theta))

    def at_least(self) -> int:
        """A lower bound, three standard deviations below the estimate; exact where it can be.

        What is kept is there, so the bound is never below it.
        """
        if self.exact:
            return len(self.hashes)
        sketch = compact_theta_sketch.deserialize(to_bytes(self))
        return max(len(self.hashes), int(sketch.get_lower_bound(3)))


NOBODY = Viewers(np.zeros(0, np.uint64))


@dataclass(frozen=True)
class Content:
    """What each viewer played: `digests[i]` is of everything that `hashes[i]` played.

    Digests of two days add up (modulo 2**64), so content of a longer period is their sum.
    """

    hashes: Hashes
    digests: Hashes
    theta: int = EVERYTHING


NOTHING = Content(np.zeros(0, np.uint64), np.zeros(0, np.uint64))


def hash_viewers(ids: Sequence[str], key: bytes) -> Hashes:
    """63-bit keyed hashes of `ids`, never 0. Without the key nobody can look an id up."""
    if len(key) > 64:
        key = hashlib.blake2b(key).digest()
    hash_one = hashlib.blake2b
    digests = b"".join(hash_one(i.encode(), digest_size=8, key=key).digest() for i in ids)
    hashes = np.frombuffer(digests, "<u8").astype(np.uint64) >> np.uint64(1)
    never_zero: Hashes = np.maximum(hashes, np.uint64(1))
    return never_zero


def hash_ids(ids: Sequence[str], key: bytes) -> Hashes:
    """64-bit keyed hashes of ids that are only told apart, such as those of sessions."""
    key = hashlib.blake2b(b"sessions" + key).digest()
    hash_one = hashlib.blake2b
    digests = b"".join(hash_one(i.encode(), digest_size=8, key=key).digest() for i in ids)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def smallest(hashes: Hashes, theta: int = EVERYTHING) -> Viewers:
    """A sketch of distinct, sorted hashes."""
    if len(hashes) > K:
        return Viewers(hashes[:K], int(hashes[K]))
    return Viewers(hashes, theta)


def to_bytes(viewers: Viewers) -> bytes:
    """As an ordered compact theta sketch, serial version 3."""
    if viewers.exact and not len(viewers.hashes):
        return _EMPTY
    longs = 2 if viewers.exact else 3
    head = _PREAMBLE.pack(longs, 3, 3, 0, 0, 0x1A, _SEED_HASH, len(viewers.hashes), 1.0)
    theta = b"" if viewers.exact else struct.pack("<Q", viewers.theta)
    return head + theta + viewers.hashes.astype("<u8").tobytes()


def from_bytes(packed: bytes | memoryview) -> Viewers:
    """The viewers that `to_bytes` was given. Raises ValueError for anything else."""
    packed = bytes(packed)
    if packed == _EMPTY:
        return NOBODY
    try:
        longs, version, family, _, _, _, _, retained, _ = _PREAMBLE.unpack_from(packed)
        theta = struct.unpack_from("<Q", packed, 16)[0] if longs == 3 else EVERYTHING
    except struct.error as error:
        raise ValueError("not a compact theta sketch") from error
    if (version, family) != (3, 3) or len(packed) != 8 * (longs + retained):
        raise ValueError("not a compact theta sketch")
    return Viewers(np.frombuffer(packed, "<u8", retained, 8 * longs).astype(np.uint64), theta)


def union(parts: Iterable[Viewers]) -> Viewers:
    """The distinct viewers of all parts."""
    parts = list(parts)
    theta = min((p.theta for p in parts), default=EVERYTHING)
    if not parts:
        return NOBODY
    hashes = np.unique(np.concatenate([p.hashes[p.hashes < theta] for p in parts]))
    return smallest(hashes, theta)


def content_to_bytes(content: Content) -> bytes:
    return (
        _CONTENT.pack(content.theta, len(content.hashes))
        + content.hashes.astype("<u8").tobytes()
        + content.digests.astype("<u8").tobytes()
    )


def content_from_bytes(packed: bytes | memoryview) -> Content:
    """What `content_to_bytes` was given. Raises ValueError for anything else."""
    packed = bytes(packed)
    if not packed:
        return NOTHING
    try:
        theta, count = _CONTENT.unpack_from(packed)
        hashes = np.frombuffer(packed, "<u8", count, _CONTENT.size)
        digests = np.frombuffer(packed, "<u8", count, _CONTENT.size + 8 * count)
    except (struct.error, ValueError) as error:
        raise ValueError("not a packed content") from error
    return Content(hashes.astype(np.uint64), digests.astype(np.uint64), theta)


def add_content(parts: Iterable[Content]) -> Content:
    """What each viewer played in all parts together."""
    parts = list(parts)
    if not parts:
        return NOTHING
    theta = min(p.theta for p in parts)
    hashes = np.concatenate([p.hashes for p in parts])
    digests = np.concatenate([p.digests for p in parts])
    below = hashes < theta
    distinct, which = np.unique(hashes[below], return_inverse=True)
    sums = np.zeros(len(distinct), np.uint64)
    np.add.at(sums, which, digests[below])
    if len(distinct) > K:
        return Content(distinct[:K], sums[:K], int(distinct[K]))
    return Content(distinct, sums, theta)


def changed(old: Content, new: Content) -> Viewers:
    """The viewers who were added, removed, or played something else."""
    theta = min(old.theta, new.theta)
    before = _pairs(old, theta)
    after = _pairs(new, theta)
    hashes = np.setxor1d(before, after)["viewer"]
    return Viewers(np.unique(hashes).astype(np.uint64), theta)


def _pairs(content: Content, theta: int) -> NDArray[np.void]:
    below = content.hashes < theta
    pairs = np.zeros(int(below.sum()), [("viewer", np.uint64), ("digest", np.uint64)])
    pairs["viewer"], pairs["digest"] = content.hashes[below], content.digests[below]
    return pairs


def some_hashes(packed: bytes | memoryview) -> frozenset[int]:
    """The smallest hashes of a sketch of which perhaps only the first bytes were read."""
    packed = bytes(packed)
    if packed[:8] == _EMPTY:
        return frozenset()
    start = 8 * packed[0]
    whole = (len(packed) - start) // 8
    return frozenset(np.frombuffer(packed, "<u8", max(whole, 0), start).tolist())
