"""Which sessions a file of segments holds, beside it: sorted, with their titles and row groups.

A session belongs to the day on which it began, so each day has to know which of its sessions
are met on the days around. Of the day before the index says all; of the days after no row is read
but theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engagement.pipeline.kernel.order import in_both
from engagement.pipeline.rows import ids_of
from engagement.pipeline.words import changes, codes_of

ROW_GROUP = 1 << 17
"""Small, for of the days around one or two are read."""
_MOST_GROUPS = 1 << 16
_COMPRESSED = ("started_at", "from_s", "to_s", "line", "source", "day")


@dataclass(frozen=True)
class Index:
    """Entries sorted by session: one at least for each title and row group it is met in.

    `title` holds places in `titles`.
    """

    session: NDArray[np.uint64]
    group: NDArray[np.uint16]
    title: NDArray[np.int32]
    titles: list[str]

    def meeting(self, ours: NDArray[np.uint64]) -> Index:
        """The entries of sessions that are among `ours` (sorted)."""
        return self.take(in_both(ours, self.session))

    def take(self, places: NDArray[np.integer]) -> Index:
        return Index(self.session[places], self.group[places], self.title[places], self.titles)


def _beside(path: Path) -> Path:
    return path.with_suffix(".sessions.arrow")


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
    _save(_index(table, [*range(0, len(table), size), len(table)]), _beside(path))


def read(path: Path) -> Index:
    """The index of a file; one that has none beside it is read for its sessions."""
    if _beside(path).exists():
        return _load(_beside(path))
    with pq.ParquetFile(path, read_dictionary=["title_id"]) as file:
        sizes = [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
        return _index(file.read(["session_id", "title_id"]), [0, *accumulate(sizes)])


def _index(table: pa.Table, bounds: Sequence[int]) -> Index:
    """Of rows in groups, `bounds` being where each begins and the end."""
    session = ids_of(table["session_id"].combine_chunks())
    title, titles = codes_of([table], "title_id")
    orders = []
    for low, high in pairwise(bounds):
        order = low + np.argsort(session[low:high])
        orders.append(order[changes(session[order], title[order])])
    rows = np.concatenate([np.zeros(0, np.int64), *orders])
    group = np.repeat(np.arange(len(orders), dtype=np.uint16), [len(o) for o in orders])
    index = Index(session[rows], group, title[rows], titles)
    if len(orders) > 1:
        index = index.take(np.argsort(index.session, kind="stable"))
    return index


def _save(index: Index, path: Path) -> None:
    title = pa.DictionaryArray.from_arrays(
        pa.array(index.title), pa.array(index.titles, pa.string())
    )
    table = pa.table({"session": index.session, "group": index.group, "title": title})
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)


def _load(path: Path) -> Index:
    with pa.memory_map(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
    session, group, title = (table[name].combine_chunks() for name in table.schema.names)
    return Index(
        session.to_numpy(), group.to_numpy(), title.indices.to_numpy(), title.dictionary.to_pylist()
    )
