"""What people wrote about a title, swapped whole: danmu and discussion.

A title's texts are published together, since a row counts once over the whole title and a text
says how many wrote it there. What of them is counted and shown is publish_danmu.py's and
publish_discussion.py's; what staff picked stays picked, and settled days that change are restated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

import pyarrow as pa

from engagement.models import (
    DanmuComment,
    DanmuFact,
    DiscussionFact,
    DiscussionPost,
    Ingest,
    Release,
    Title,
)
from engagement.pipeline.copying import copy_objects
from engagement.pipeline.publish import swap
from engagement.pipeline.restate import Key, day_totals, restate
from engagement.pipeline.staging import Rows

Counted = TypeVar("Counted", DanmuFact, DiscussionFact)
Written = TypeVar("Written", DanmuComment, DiscussionPost)


@dataclass(frozen=True)
class Texts(Generic[Counted, Written]):
    """One kind of texts: its tables, what their counts are restated by, and how both are made.

    `read` gives a title's rows over Sources, each counted once.
    """

    kind: Release.Kind
    counted: type[Counted]
    written: type[Written]
    metrics: tuple[str, ...]
    read: Callable[[str, Iterable[int]], Rows]
    count: Callable[[Title, pa.Table], Sequence[Counted]]
    write: Callable[[Title, pa.Table], Sequence[Written]]

    @property
    def family(self) -> str:
        return self.kind.value


def publish_texts(
    texts: Texts[Counted, Written],
    title: Title,
    rows: Rows,
    digest: str,
    *,
    seen: frozenset[int],
    settled_until: date,
    ingest: Ingest | None = None,
) -> Release:
    """Swap a title's texts. `seen` are the live Sources as `rows` were read. Raises Stale."""
    counted, written = texts.count(title, rows.table), texts.write(title, rows.table)
    units = {title: [(None, digest)]}
    with swap(texts.kind, units, seen=seen, made_of=rows.sources, ingest=ingest) as [release]:
        before = day_totals(texts.counted, title, texts.metrics, settled_until)
        _replace(texts, title, release, counted, written)
        release.rows, release.rejected = len(rows.table), rows.rejected()
        after = day_totals(texts.counted, title, texts.metrics, settled_until)
        restate(title, texts.family, before, after, dict.fromkeys(_days(before), release))
    return release


def _days(totals: Iterable[Key]) -> set[date]:
    return {since for since, _, _ in totals}


def _replace(
    texts: Texts[Counted, Written],
    title: Title,
    release: Release,
    counted: Sequence[Counted],
    written: Sequence[Written],
) -> None:
    """The old rows go, the new ones come; a text that staff picked stays picked."""
    old = texts.written._default_manager.filter(title=title)
    picked = set(old.filter(picked=True).values_list("text", flat=True))
    old.delete()
    texts.counted._default_manager.filter(title=title).delete()
    for row in counted:
        row.release = release
    for text in written:
        text.release, text.picked = release, text.text in picked
    copy_objects(counted)
    copy_objects(written)
