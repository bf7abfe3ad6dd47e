"""A title's live comments as facts: counted by second, and readable one by one.

Senders end here: a comment is published with how many distinct senders wrote its text, never
with who wrote it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engagement import curves
from engagement.models import DanmuComment, DanmuFact, Release, Title
from engagement.phrases import MOMENT_S, phrases_of
from engagement.pipeline import staging
from engagement.pipeline.publish_texts import Texts
from engagement.reactions import REACTIONS, reactions
from engagement.scope import ALL
from engagement.text import mask, normalised

_ONE_DAY = timedelta(days=1)
_FEWEST_SENDERS = 3


def _facts(title: Title, table: pa.Table) -> list[DanmuFact]:
    """Comments and reactions per second of each day, territory and `*`, which is their sum."""
    if not len(table):
        return []
    placed = pc.is_valid(table["offset_s"]).to_numpy(zero_copy_only=False)
    offset = pc.fill_null(table["offset_s"], 0).to_numpy().astype(np.int64)
    seconds = max(title.runtime_s, int(offset.max()) + 1)
    kinds = _kinds(table["text"].to_pylist())
    days = table["day"].combine_chunks().dictionary_encode()
    territories = table["territory"].combine_chunks().dictionary_encode()
    day_of, territory_of = days.indices.to_numpy(), territories.indices.to_numpy()
    facts = []
    for d, day in enumerate(days.dictionary.to_pylist()):
        in_day = day_of == d
        for t, territory in [(-1, ALL), *enumerate(territories.dictionary.to_pylist())]:
            here = in_day if t < 0 else in_day & (territory_of == t)
            if here.any():
                facts.append(_fact(title, day, territory, here, placed, offset, kinds, seconds))
    return facts


def _kinds(texts: list[str]) -> NDArray[np.bool_]:
    """Which comments each series counts: all of them, then those of each reaction."""
    kinds = np.zeros((1 + len(REACTIONS), len(texts)), dtype=np.bool_)
    kinds[0] = True
    known: dict[str, frozenset[str]] = {}
    for at, text in enumerate(texts):
        for name in known.setdefault(text, reactions(text)):
            kinds[1 + REACTIONS.index(name), at] = True
    return kinds


def _fact(
    title: Title,
    day: date,
    territory: str,
    here: NDArray[np.bool_],
    placed: NDArray[np.bool_],
    offset: NDArray[np.int64],
    kinds: NDArray[np.bool_],
    seconds: int,
) -> DanmuFact:
    counted = here & placed
    counts = [np.bincount(offset[counted & kind], minlength=seconds) for kind in kinds]
    return DanmuFact(
        title=title,
        territory=territory,
        from_day=day,
        until=day + _ONE_DAY,
        comments=int(here.sum()),
        unplaced=int((here & ~placed).sum()),
        curves=curves.pack(np.stack(counts).astype(np.int64)),
    )


def _comments(title: Title, table: pa.Table) -> list[DanmuComment]:
    """One a live comment with something to read, in the order of the content.

    A comment without a sender id is a sender of its own only once: a text's unknown senders
    together count as one, so that one person cannot lift a text over the rule of three.
    """
    if not len(table):
        return []
    columns = ("offset_s", "day", "text", "sender_id", "likes", "territory")
    rows = list(zip(*(table[c].to_pylist() for c in columns), strict=True))
    senders: dict[str, set[str | None]] = defaultdict(set)
    for _, _, text, sender, _, _ in rows:
        senders[normalised(text)].add(sender)
    shown_of = {text: mask(text).strip() for _, _, text, _, _, _ in rows}
    phrases = _phrases([(row[0], row[1], shown_of[row[2]], row[3]) for row in rows])
    comments = []
    for (offset, day, text, _, likes, territory), said in zip(rows, phrases, strict=True):
        shown = shown_of[text]
        if shown:
            comments.append(
                DanmuComment(
                    title=title,
                    territory=territory,
                    from_day=day,
                    until=day + _ONE_DAY,
                    content_second=offset,
                    text=shown,
                    repeats=len(senders[normalised(text)]),
                    likes=likes,
                    phrases=said,
                )
            )
    return sorted(comments, key=_place)


def _phrases(rows: Sequence[tuple[int | None, date, str, str | None]]) -> list[list[str]]:
    """What each (offset, day, masked text, sender) says that three senders or more say.

    What a sender repeats within one moment and day is said once: nobody makes a moment alone.
    """
    of_text = {text: phrases_of(text) for text in {row[2] for row in rows}}
    senders: dict[str, set[str | None]] = defaultdict(set)
    for _, _, text, sender in rows:
        for phrase in of_text[text]:
            senders[phrase].add(sender)
    shared = {phrase for phrase, who in senders.items() if len(who) >= _FEWEST_SENDERS}
    of_text = {text: found & shared for text, found in of_text.items()}
    said: set[tuple[object, ...]] = set()
    phrases = []
    for offset, day, text, sender in rows:
        moment = None if offset is None else offset // MOMENT_S
        new = {p for p in of_text[text] if (sender, day, moment, p) not in said}
        if sender is not None:
            said.update((sender, day, moment, p) for p in new)
        phrases.append(sorted(new))
    return phrases


def _place(comment: DanmuComment) -> tuple[int, date]:
    second = comment.content_second
    return (2**31 if second is None else second, comment.from_day)


DANMU = Texts(
    kind=Release.Kind.DANMU,
    counted=DanmuFact,
    written=DanmuComment,
    metrics=("comments",),
    read=staging.danmu_of,
    count=_facts,
    write=_comments,
)
