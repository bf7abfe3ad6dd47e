"""Which sessions a file of segments holds, beside it: sorted, with the row groups they lie in.

A session belongs to the day on which it began, so each day has to know which of its sessions
are met on the days around. With this index no row of those days is read but theirs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engagement.pipeline.kernel.order import in_both

ROW_GROUP = 1 << 17
"""Small, for of the days around one or two are read."""
_ENTRY = np.dtype([("session", "<u8"), ("group", "<u2")])
_MOST_GROUPS = 1 << 16
_COMPRESSED = ("started_at", "from_s", "to_s", "line", "source", "day")


def _beside(path: Path) -> Path:
    return path.with_suffix(".sessions.npy")


def write(table: pa.Table, path: Path) -> None:
    """Write segments, with ids that are hashed, to a Parquet file and index their sessions.

    Rows are put in the order of their time, so that a session lies in few row groups. Words alone
    are worth a dictionary, and numbers alone are compressed: hashes do not become smaller.
    """
    started = table["started_at"].to_numpy().astype(np.int64)
    if (np.diff(started) < 0).any():
        table = table.take(pa.array(np.argsort(started, kind="stable")))
    size = max(ROW_GROUP, -(-len(table) // _MOST_GROUPS))
    words = [f.name for f in table.schema if pa.types.is_dictionary(f.type)]
    pq.write_table(
        table,
        path,
        row_group_size=size,
        use_dictionary=words,
        compression={f.name: "zstd" if f.name in _COMPRESSED else "none" for f in table.schema},
        compression_level={name: 1 for name in _COMPRESSED if name in table.schema.names},
    )
    np.save(_beside(path), _index(table["session_id"].to_numpy(), size))


def _index(session: NDArray[np.uint64], size: int) -> NDArray[np.void]:
    parts = [np.unique(session[low : low + size]) for low in range(0, len(session), size)]
    entries = np.empty(sum(map(len, parts)), _ENTRY)
    entries["session"] = np.concatenate(parts) if parts else np.zeros(0, np.uint64)
    entries["group"] = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    return entries if len(parts) < 2 else entries[np.argsort(entries["session"], kind="stable")]


def read(path: Path) -> NDArray[np.void]:
    """The index of a file; one that has none beside it is read for its sessions."""
    if _beside(path).exists():
        found: NDArray[np.void] = np.load(_beside(path), mmap_mode="r")
        return found
    with pq.ParquetFile(path) as file:
        groups = [
            np.unique(file.read_row_group(g, ["session_id"])["session_id"].to_numpy())
            for g in range(file.num_row_groups)
        ]
    entries = np.empty(sum(map(len, groups)), _ENTRY)
    entries["session"] = np.concatenate(groups) if groups else np.zeros(0, np.uint64)
    entries["group"] = np.repeat(np.arange(len(groups)), [len(g) for g in groups])
    return entries[np.argsort(entries["session"], kind="stable")]


def meeting(
    theirs: NDArray[np.void], ours: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], list[int]]:
    """Of a file's sessions those among `ours` (sorted), and the row groups that hold them."""
    both = in_both(ours, theirs["session"])
    found = theirs[both]
    return np.unique(found["session"]), np.unique(found["group"]).tolist()
