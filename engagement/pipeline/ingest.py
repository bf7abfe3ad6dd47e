"""One run of `manage.py ingest`: landed files in, published Releases out.

Landing is landing.py, counting once is staging.py, publishing is publish.py. This module says in
which order, and what happened.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from engagement.formats import Options
from engagement.models import Ingest, Rejected, Release, Source, Title
from engagement.pipeline import engine, people, publish, series, spark, staging, units
from engagement.pipeline.cells import CellPartial, cells
from engagement.pipeline.holders import Holders
from engagement.pipeline.landing import Refused, Summary, find, land, title_maps
from engagement.pipeline.partial import Input, Partial
from engagement.pipeline.publish import Stale, Unit
from engagement.pipeline.publish_danmu import DANMU
from engagement.pipeline.publish_discussion import DISCUSSION
from engagement.pipeline.publish_fanbases import publish_fanbases
from engagement.pipeline.publish_people import publish_people, subjects
from engagement.pipeline.publish_shares import loose_titles, publish_shares
from engagement.pipeline.publish_texts import Texts, publish_texts
from engagement.pipeline.typical import publish_typical
from engagement.roles import PUBLISH, acting_as
from engagement.settling import settled_until

_PARTIALS_AT_ONCE = 20_000
"""Partials held in memory before the titles they are of are published."""

_PARTIALS_A_SWAP = 5_000
"""Partials after which the titles so far are swapped: a reader's wait for the disk, and memory."""

_TITLES_A_CUT = 200

_ATTEMPTS = 5
_KEEP_CHANGING = "other ingests keep changing the same titles: run it again when they are done"
_EPOCH = date(1970, 1, 1)

NOBODYS = Holders()
EMBEDDED, SPARK = ENGINES = ("embedded", "spark")


class Progress(Protocol):
    """Told how far a stage is."""

    def __call__(self, stage: str, done: int, total: int) -> None: ...


def ingest(
    paths: Sequence[Path],
    options: Options,
    *,
    withdraw: Sequence[str] = (),
    holders: Holders = NOBODYS,
    sample: bool = False,
    by: str = EMBEDDED,
    progress: Progress = lambda stage, done, total: None,
) -> Summary:
    """Land files, publish every unit that is not as its Sources are, and settle days.

    `by` is the engine that rolls segments up. What a killed run left undone is done by the next.
    Raises Refused before anything happened, SparkMissing where Spark is asked for and missing.
    """
    files = find(paths, sample=sample)
    summary = Summary(engine=by)
    with acting_as(PUBLISH):
        unknown = set(withdraw) - set(
            Source.objects.filter(state=Source.State.LIVE).values_list("name", flat=True)
        )
        if unknown:
            raise Refused(f"no live source is called {', '.join(sorted(unknown))}")
        run = Ingest.objects.create()
    _withdraw(withdraw, summary)
    maps = title_maps(files, run, summary)
    for number, file in enumerate(files):
        progress("files", number, len(files))
        land(file, options, maps.get(file.root, {}), run, summary)
    progress("files", len(files), len(files))
    publish_all(run, summary, holders, progress)
    return summary


def publish_all(run: Ingest, summary: Summary, holders: Holders, progress: Progress) -> None:
    """Publish every unit that is not as its Sources are, settle days, and end the run."""
    _publish_stale_segments(run, summary, progress)
    _publish_stale_texts(run, summary, progress)
    _publish_stale_shares(run, summary, progress)
    _settle(summary, progress)
    _publish_series(run, summary, progress)
    _publish_protected(holders, run, summary, progress)
    with acting_as(PUBLISH):
        publish.give_up_begun(run)
        _count_duplicates(run)
        run.finished_at = timezone.now()
        run.summary = summary.as_json()
        run.save(update_fields=["finished_at", "summary"])


def _withdraw(names: Sequence[str], summary: Summary) -> None:
    with acting_as(PUBLISH):
        for name in names:
            summary.withdrawn += Source.objects.filter(name=name, state=Source.State.LIVE).update(
                state=Source.State.WITHDRAWN
            )


def _publish_stale_segments(run: Ingest, summary: Summary, progress: Progress) -> None:
    for _ in range(_ATTEMPTS):
        with acting_as(PUBLISH):
            live = units.live(Source.Kind.SEGMENTS)
            stale = units.stale_segments(live)
        if not stale:
            return
        try:
            _publish_days(live, stale, run, summary, progress)
            return
        except Stale:
            continue  # another ingest landed a file of the same title meanwhile
    raise Refused(_KEEP_CHANGING)


def _publish_days(
    live: units.Live,
    stale: Mapping[date, set[str]],
    run: Ingest,
    summary: Summary,
    progress: Progress,
) -> None:
    with acting_as(PUBLISH):
        titles = {t.key: t for t in Title.objects.filter(key__in=set().union(*stale.values()))}
    waiting: dict[str, list[Unit]] = defaultdict(list)
    held = 0
    days = [engine.Day(day, _files(live), stale[day]) for day in sorted(stale)]
    runtimes = {key: title.runtime_s for key, title in titles.items()}
    if summary.engine == SPARK:
        rolled = spark.roll_up(days, runtimes, master=spark.master_of(settings.ENGINE_URL))
    else:
        rolled = engine.roll_up(days, runtimes)
    for number, partial in enumerate(rolled):
        progress("days", number, len(stale))
        for key, unit in _units_of(partial, stale[partial.day], live, titles, summary):
            waiting[key].append(unit)
            held += len(unit.partials)
        if held > _PARTIALS_AT_ONCE:
            _publish_titles(waiting, titles, live, run, summary)
            waiting.clear()
            held = 0
    progress("days", len(stale), len(stale))
    _publish_titles(waiting, titles, live, run, summary)


def _files(live: units.Live) -> Callable[[date], list[Path]]:
    def of_day(day: date) -> list[Path]:
        found = (staging.segment_files(source, day) for source in sorted(live.ids))
        return [path for path in found if path is not None]

    return of_day


def _publish_titles(
    waiting: Mapping[str, Sequence[Unit]],
    titles: Mapping[str, Title],
    live: units.Live,
    run: Ingest,
    summary: Summary,
) -> None:
    batch: dict[Title, Sequence[Unit]] = {}
    for key in sorted(waiting):
        batch[titles[key]] = waiting[key]
        if sum(len(u.partials) for its in batch.values() for u in its) > _PARTIALS_A_SWAP:
            _swap(batch, live, run, summary)
            batch = {}
    _swap(batch, live, run, summary)


def _swap(
    batch: Mapping[Title, Sequence[Unit]], live: units.Live, run: Ingest, summary: Summary
) -> None:
    if batch:
        done = publish.publish_segments(
            batch, seen=live.ids, settled_until=settled_until(), ingest=run
        )
        summary.releases += len(done)


def _units_of(
    partial: Partial,
    keys: set[str],
    live: units.Live,
    titles: Mapping[str, Title],
    summary: Summary,
) -> Iterator[tuple[str, Unit]]:
    """The units of one day whose rows are not those that were published."""
    day = partial.day
    with acting_as(PUBLISH):
        done = {
            r.title.key: r
            for r in Release.objects.filter(
                kind=Release.Kind.SEGMENTS, day=day, title__key__in=keys, state=Release.State.DONE
            ).select_related("title")
        }
    wanted: dict[str, Unit] = {}
    same: dict[UUID, frozenset[int]] = {}
    for key in sorted(keys):
        told = partial.inputs.get(key, Input())
        reaches = day if told.reaches is None else _EPOCH + timedelta(days=told.reaches)
        digest = units.input_digest(titles[key], f"{told.digest:064x}")
        made_of = told.sources | live.around(key, day, reaches)
        if key in done and done[key].input_digest == digest:
            same[done[key].pk] = made_of
            continue
        wanted[key] = Unit(
            day, digest, made_of, told.rows, _rejected(told), reaches, [], engine=summary.engine
        )
        summary.duplicates += sum(told.duplicates.values())
    if same:
        with acting_as(PUBLISH):
            publish.made_of_others(same)
    partials: dict[str, list[CellPartial]] = defaultdict(list)
    for cell in cells(partial, wanted):
        partials[cell.title_id].append(cell)
    files = people.write(day, partial.people, wanted)
    for key, unit in wanted.items():
        yield key, replace(unit, partials=partials[key], people_file=files.get(key, ""))


def _rejected(told: Input) -> dict[str, object]:
    """What was left out, as a Release keeps it."""
    found: dict[str, object] = {}
    if told.duplicates:
        found["duplicate"] = sum(told.duplicates.values())
        found["duplicate_by_source"] = {str(s): n for s, n in told.duplicates.items()}
    if told.two_viewers:
        found["two_viewers"] = told.two_viewers
    return found


_TEXTS: tuple[Texts[Any, Any], ...] = (DANMU, DISCUSSION)


def _publish_stale_texts(run: Ingest, summary: Summary, progress: Progress) -> None:
    until = settled_until()
    for texts in _TEXTS:
        kind = texts.kind
        for _ in range(_ATTEMPTS):
            with acting_as(PUBLISH):
                live = units.live(kind)
                stale = sorted(units.stale_titles(live, kind))
                titles = {t.key: t for t in Title.objects.filter(key__in=stale)}
            try:
                for number, key in enumerate(stale):
                    progress(kind.value, number, len(stale))
                    rows = texts.read(key, live.of(key))
                    digest = units.input_digest(titles[key], rows.digest)
                    with acting_as(PUBLISH):
                        done = Release.objects.filter(
                            kind=kind, title=titles[key], state=Release.State.DONE
                        ).first()
                        if done and done.input_digest == digest:
                            done.sources.set(live.of(key))
                            continue
                    publish_texts(
                        texts,
                        titles[key],
                        rows,
                        digest,
                        seen=live.ids,
                        settled_until=until,
                        ingest=run,
                    )
                    summary.duplicates += sum(rows.duplicates.values())
                    summary.releases += 1
                progress(kind.value, len(stale), len(stale))
                break
            except Stale:
                continue
        else:
            raise Refused(_KEEP_CHANGING)


def _publish_stale_shares(run: Ingest, summary: Summary, progress: Progress) -> None:
    """Shares whose Sources changed, and those of days that have settled since."""
    until = settled_until()
    for _ in range(_ATTEMPTS):
        with acting_as(PUBLISH):
            live = units.live(Source.Kind.SHARES)
            stale = units.stale_titles(live, Source.Kind.SHARES)
            keys = sorted(stale | set(loose_titles(until)))
            titles = {t.key: t for t in Title.objects.filter(key__in=keys)}
        try:
            for number, key in enumerate(keys):
                progress("shares", number, len(keys))
                rows = staging.shares_of(key, live.of(key))
                done = publish_shares(
                    titles[key],
                    rows,
                    made_of=live.of(key),
                    seen=live.ids,
                    settled_until=until,
                    ingest=run,
                )
                summary.duplicates += sum(rows.duplicates.values()) if done else 0
                summary.releases += len(done)
            progress("shares", len(keys), len(keys))
            return
        except Stale:
            continue
    raise Refused(_KEEP_CHANGING)


def _settle(summary: Summary, progress: Progress) -> None:
    """Publish the pieces of days that have settled since they were ingested."""
    until = settled_until()
    with acting_as(PUBLISH):
        titles = publish.titles_with_loose_days(until)
    for number in range(0, len(titles), _TITLES_A_CUT):
        progress("settling", number, len(titles))
        few = titles[number : number + _TITLES_A_CUT]
        publish.publish_segments(dict.fromkeys(few, ()), seen=frozenset(), settled_until=until)


def _publish_series(run: Ingest, summary: Summary, progress: Progress) -> None:
    """What is counted across a series' episodes, from their days as they stand published."""
    with acting_as(PUBLISH):
        found = series.all_series()
    for number, one in enumerate(found):
        progress("series", number, len(found))
        series.count_carried_on(one)
        summary.releases += len(series.publish_series(one, settled_until(), ingest=run))
    progress("series", len(found), len(found))


def _publish_protected(holders: Holders, run: Ingest, summary: Summary, progress: Progress) -> None:
    """What is noised once: who they are and whose fans, of the weeks that have settled."""
    with acting_as(PUBLISH):
        found = list(subjects())
    until = settled_until()
    for number, subject in enumerate(found):
        progress("weeks", number, len(found))
        summary.releases += len(publish_people(subject, holders, until, ingest=run))
    progress("weeks", len(found), len(found))
    told = functools.partial(progress, "fan sets")
    done = publish_fanbases(found, holders, ingest=run, progress=told)
    summary.releases += len(done)
    told = functools.partial(progress, "typical")
    titles = [subject.title for subject in found]
    done = publish_typical(titles, holders, until, ingest=run, progress=told)
    summary.releases += len(done)


def _count_duplicates(run: Ingest) -> None:
    """Write how many rows of each Source count elsewhere, from the Releases they are in."""
    touched = Release.objects.filter(ingest=run, state=Release.State.DONE)
    sources = set(touched.values_list("sources", flat=True)) - {None}
    counts: Counter[int] = Counter()
    for rejected in (
        Release.objects.filter(sources__in=sources, state=Release.State.DONE)
        .distinct()
        .values_list("rejected", flat=True)
    ):
        for source, rows in rejected.get("duplicate_by_source", {}).items():
            counts[int(source)] += rows
    for source in sources:
        Rejected.objects.update_or_create(
            source_id=source, reason="duplicate", defaults={"rows": counts[source]}
        )
    Rejected.objects.filter(reason="duplicate", rows=0).delete()
