"""A Partial added up to what is stored: cells of title, day, territory and device."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow as pa
import zstandard
from numpy.typing import NDArray

from engagement import curves
from engagement.curves import Curves
from engagement.pipeline import sketches
from engagement.pipeline.kernel import cells as cell_kernel
from engagement.pipeline.kernel import lines as line_kernel
from engagement.pipeline.partial import SERIES, Partial
from engagement.pipeline.sketches import Content, K, Viewers
from engagement.pipeline.words import Ints, changes, named, places_of

ALL = "*"


@dataclass(frozen=True)
class CellPartial:
    """One title, day, territory and device, unprotected, as it is stored.

    `packed` are its curves by curves.pack: (5, seconds), one row a name of SERIES. They are
    (5, 0), and `content_bytes` empty, for a single device: those are published as totals only.
    """

    title_id: str
    day: date
    territory: str
    device: str
    plays: int
    watch_seconds: int
    completions: int
    viewers: int
    finishers: int
    packed: bytes
    viewer_bytes: bytes
    finisher_bytes: bytes
    content_bytes: bytes

    @property
    def curves(self) -> Curves:
        return curves.unpack(self.packed)

    @property
    def viewer_sketch(self) -> Viewers:
        return sketches.from_bytes(self.viewer_bytes)

    @property
    def finisher_sketch(self) -> Viewers:
        return sketches.from_bytes(self.finisher_bytes)

    @property
    def content(self) -> Content:
        return sketches.content_from_bytes(self.content_bytes)


def cells(partial: Partial, titles: Collection[str] | None = None) -> Iterator[CellPartial]:
    """Title by title: `*` and each single territory, each with `*` and each single device.

    Curves are as long as the runtime, or as the furthest position where that is further.
    """
    for row in cell_table(partial, titles).to_pylist():
        yield CellPartial(day=partial.day, **row)


_SCALARS = ("plays", "watch_seconds", "completions", "viewers", "finishers")
_NO_CURVES = curves.pack(np.zeros((len(SERIES), 0), np.int64))


def cell_table(partial: Partial, titles: Collection[str] | None = None) -> pa.Table:
    """`cells` as columns: the fields of CellPartial but the day."""
    people = partial.people
    title, names = places_of(people, "title_id")
    territory, territories = places_of(people, "territory")
    device, devices = places_of(people, "device")
    starts = np.searchsorted(title, np.arange(len(names) + 1))
    wanted = np.array([titles is None or name in titles for name in names], bool)
    if not wanted.all():
        keep = np.repeat(wanted, np.diff(starts))
        people, territory, device = people.filter(pa.array(keep)), territory[keep], device[keep]
        starts = np.concatenate([[0], np.cumsum(np.diff(starts) * wanted)])
    words = (territory.astype(np.int64) << line_kernel.TERRITORY_SHIFT) | (
        device.astype(np.int64) << line_kernel.DEVICE_SHIFT
    )
    columns = [
        people[n].to_numpy() for n in ("viewer", "plays", "watch_seconds", "completions", "digest")
    ]
    place, scalars, *blobs = cell_kernel.cells(
        starts, columns[0], words, *columns[1:], len(territories), len(devices), K
    )
    runtime = np.array([partial.runtimes.get(name, 0) for name in names], np.int64)
    seconds = cell_kernel.furthest_of(starts, people["furthest_s"].to_numpy(), runtime)
    packed = _packed(partial.curves, names, territories, place, seconds)
    return pa.table(
        {
            "title_id": named(place[:, 0], names),
            "territory": named(place[:, 1], [ALL, *territories]),
            "device": named(place[:, 2], [ALL, *devices]),
            **{name: scalars[:, n] for n, name in enumerate(_SCALARS)},
            "packed": pa.array(packed, pa.large_binary()),
            "viewer_bytes": _blobs(*blobs[0:2]),
            "finisher_bytes": _blobs(*blobs[2:4]),
            "content_bytes": _blobs(*blobs[4:6]),
        }
    )


def _blobs(bounds: Ints, words: NDArray) -> pa.LargeBinaryArray:
    offsets = pa.py_buffer(bounds * words.itemsize)
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(bounds) - 1, [None, offsets, pa.py_buffer(words)]
    )


def _packed(
    rows: pa.Table, names: Sequence[str], territories: Sequence[str], place: NDArray, seconds: Ints
) -> list[bytes]:
    """The packed curves of each cell."""
    title, titles = places_of(rows, "title_id")
    territory, known = places_of(rows, "territory")
    second = rows["second"].to_numpy()
    values = np.stack([rows[name].to_numpy() for name in SERIES])
    starts = np.searchsorted(title, np.arange(len(titles) + 1))
    bounds = {name: (starts[t], starts[t + 1]) for t, name in enumerate(titles)}
    to_known = {name: n for n, name in enumerate(known)}
    found = [_NO_CURVES] * len(place)
    over_devices = np.flatnonzero(place[:, 2] == 0)
    edges = [*changes(place[over_devices, 0]).tolist(), len(over_devices)]
    compress = zstandard.ZstdCompressor(level=curves.LEVEL).compress
    # for every title in turn
    most = len(SERIES) * int(seconds.max(initial=0)) + 1
    scratch = (np.zeros(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64))
    out = np.empty(1 << 20, np.uint8)
    for low, high in pairwise(edges):
        which = over_devices[low:high].tolist()
        t = int(place[which[0], 0])
        local = np.zeros(len(known), np.int64)
        for n, cell in enumerate(which[1:]):
            local[to_known[territories[place[cell, 1] - 1]]] = n + 1
        begin, end = bounds[names[t]]
        edge, out = cell_kernel.bodies(
            begin, end, territory, second, values, local, len(which), int(seconds[t]), scratch, out
        )
        raw, ends = out.data, edge.tolist()
        for n, cell in enumerate(which):
            found[cell] = compress(raw[ends[n] : ends[n + 1]])
    return found
