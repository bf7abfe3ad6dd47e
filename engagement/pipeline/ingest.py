"""One run of `manage.py ingest`: landed files in, published Releases out.

Reading is formats/, counting once is staging.py, publishing is publish.py. This module keeps the
ledger of Sources and says what happened.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from engagement import formats
from engagement.formats import Catalogue, Landed, Options, Quarantined, Reading, Rejects
from engagement.models import Ingest, Rejected, Release, Source, Title
from engagement.pipeline import publish, staging, units
from engagement.pipeline.publish import Stale, Unit
from engagement.pipeline.publish_danmu import publish_danmu
from engagement.pipeline.rollup import Partial, rollup
from engagement.pipeline.titles import upsert_titles
from engagement.roles import PUBLISH, acting_as
from engagement.settling import settled_until

MAP_NAME = "titles.map.csv"
SAMPLE_MARK = "SAMPLE"
"""A file of this name marks everything in its folder as sample data."""

_NOT_DATA = (MAP_NAME, SAMPLE_MARK)
_NOT_DATA_STEMS = ("readme", "license", "licence", "manifest")
_PARTIALS_AT_ONCE = 20_000
"""Partials held in memory before the titles they are of are published."""

_ATTEMPTS = 5


class Refused(Exception):
    """The run as a whole cannot be done; says why."""


class Progress(Protocol):
    """Told how far a stage is."""

    def __call__(self, stage: str, done: int, total: int) -> None: ...


@dataclass(frozen=True)
class File:
    """One file to land. `name` is its path under the folder ingested."""

    path: Path
    name: str
    root: Path | None
    sample: bool

    @property
    def is_titles(self) -> bool:
        return self.path.name.lower().startswith("titles")


@dataclass
class Summary:
    """What one run read, refused and published."""

    files: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    rows_read: int = 0
    rows_kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    held_changes: int = 0
    releases: int = 0
    quarantined: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "rejected": dict(self.rejected)}


def find(paths: Sequence[Path], *, sample: bool) -> list[File]:
    """The files to land, titles first, then by name. Raises Refused."""
    found: dict[str, File] = {}
    for path in paths:
        if not path.exists():
            raise Refused(f"there is no {path}")
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        root = path if path.is_dir() else None
        for one in inside:
            relative = one.relative_to(path) if root else Path(one.name)
            if root and not _is_data(relative):
                continue
            marked = sample or (root is not None and _is_marked(one, root))
            name = relative.as_posix()
            if name in found and found[name].path.resolve() != one.resolve():
                raise Refused(
                    f"{found[name].path} and {one} would both be called {name}, and the second "
                    "replace the first: ingest the folder that holds both"
                )
            found[name] = File(one, name, root, marked)
    return sorted(found.values(), key=lambda f: (not f.is_titles, f.name))


def _is_data(relative: Path) -> bool:
    if any(part.startswith(".") for part in relative.parts):
        return False
    name = relative.name
    return name not in _NOT_DATA and name.split(".")[0].lower() not in _NOT_DATA_STEMS


def _is_marked(path: Path, root: Path) -> bool:
    return any(
        (folder / SAMPLE_MARK).exists()
        for folder in path.parents
        if folder == root or root in folder.parents
    )


def ingest(
    paths: Sequence[Path],
    options: Options,
    *,
    withdraw: Sequence[str] = (),
    sample: bool = False,
    progress: Progress = lambda stage, done, total: None,
) -> Summary:
    """Land files, publish every unit that is not as its Sources are, and settle days.

    What a killed run left undone is done by the next. Raises Refused before anything happened.
    """
    files = find(paths, sample=sample)
    summary = Summary()
    with acting_as(PUBLISH):
        unknown = set(withdraw) - set(
            Source.objects.filter(state=Source.State.LIVE).values_list("name", flat=True)
        )
        if unknown:
            raise Refused(f"no live source is called {', '.join(sorted(unknown))}")
        run = Ingest.objects.create()
    _withdraw(withdraw, summary)
    maps = _title_maps(files, run, summary)
    for number, file in enumerate(files):
        progress("files", number, len(files))
        _land(file, options, maps.get(file.root, {}), run, summary)
    progress("files", len(files), len(files))
    _publish_stale_segments(run, summary, progress)
    _publish_stale_danmu(run, summary, progress)
    _settle(summary, progress)
    with acting_as(PUBLISH):
        _count_duplicates(run)
        run.finished_at = timezone.now()
        run.summary = summary.as_json()
        run.save(update_fields=["finished_at", "summary"])
    return summary


def _withdraw(names: Sequence[str], summary: Summary) -> None:
    with acting_as(PUBLISH):
        for name in names:
            summary.withdrawn += Source.objects.filter(name=name, state=Source.State.LIVE).update(
                state=Source.State.WITHDRAWN
            )


def _title_maps(
    files: Sequence[File], run: Ingest, summary: Summary
) -> dict[Path | None, dict[tuple[str, str], str]]:
    """What each folder's titles.map.csv say, with names as under the folder ingested."""
    maps: dict[Path | None, dict[tuple[str, str], str]] = {}
    roots = {f.root for f in files if f.root} | {f.path.parent for f in files if not f.root}
    for root in sorted(roots):
        entries: dict[tuple[str, str], str] = {}
        for path in sorted(root.rglob(MAP_NAME)):
            name = path.relative_to(root)
            try:
                for (file, part), title in formats.read_title_map(path).items():
                    entries[(name.parent / file).as_posix(), part] = title
                    entries.setdefault((file, part), title)
            except Quarantined as error:
                _quarantine(File(path, name.as_posix(), root, False), error, None, run, summary)
        maps[root] = entries
        if any(f.root is None and f.path.parent == root for f in files):
            maps[None] = maps.get(None, {}) | entries
    return maps


def _land(
    file: File,
    options: Options,
    title_map: Mapping[tuple[str, str], str],
    run: Ingest,
    summary: Summary,
) -> None:
    """One file into the ledger and into staging; nothing of it is published yet."""
    summary.files += 1
    sha256, place = staging.keep(file.path)
    said = {key: str(value) for key, value in vars(options).items() if value is not None}
    with acting_as(PUBLISH):
        now_live = Source.objects.filter(name=file.name, state=Source.State.LIVE).first()
    if now_live and (now_live.sha256, now_live.options) == (sha256, said):
        summary.unchanged += 1
        return
    source = Source(
        name=file.name,
        sha256=sha256,
        kind=_guess_kind(file),
        format=options.format or "",
        options=said,
        state=Source.State.QUARANTINED,
        ingest=run,
        size_bytes=file.path.stat().st_size,
        problem="reading it was not finished: ingest it again",
        sample=file.sample,
    )
    with acting_as(PUBLISH):
        source.save()
        runtimes = dict(Title.objects.values_list("key", "runtime_s"))
    reading = Reading(
        home=settings.HOME_TERRITORY,
        zone=ZoneInfo(settings.TIME_ZONE),
        now=timezone.now(),
        title_map=title_map,
    )
    try:
        landed = formats.read(
            place, name=file.name, options=options, catalogue=Catalogue(runtimes), settings=reading
        )
    except Quarantined as error:
        _quarantine(file, error, source, run, summary)
        return
    _take_in(source, landed, summary)


def _guess_kind(file: File) -> str:
    stem = file.path.name.lower()
    for kind in (Source.Kind.TITLES, Source.Kind.SEGMENTS):
        if stem.startswith(kind.value):
            return kind
    return Source.Kind.DANMU


def _quarantine(
    file: File, error: Quarantined, source: Source | None, run: Ingest, summary: Summary
) -> None:
    source = source or Source(
        name=file.name, sha256=staging.keep(file.path)[0], kind=_guess_kind(file), ingest=run
    )
    source.state = Source.State.QUARANTINED
    source.problem = error.problem
    source.rows_read = error.rows_read
    with acting_as(PUBLISH):
        source.save()
        _write_rejected(source, error.rejected)
    summary.quarantined[file.name] = error.problem
    summary.rows_read += error.rows_read


def _write_rejected(source: Source, rejected: Mapping[str, Rejects]) -> None:
    Rejected.objects.bulk_create(
        Rejected(source=source, reason=reason, rows=r.rows, examples=r.examples)
        for reason, r in rejected.items()
    )


def _take_in(source: Source, landed: Landed, summary: Summary) -> None:
    """Make a read file the live Source of its name."""
    source.kind, source.format = landed.kind, landed.format
    source.rows_read, source.rows_kept = landed.rows_read, len(landed.table)
    source.state, source.problem = Source.State.LIVE, ""
    if landed.kind != Source.Kind.TITLES:
        staging.stage(source.pk, landed.kind, landed.table)
    with acting_as(PUBLISH):
        rejected = dict(landed.rejected)
        # The newest landing of a name counts: two runs with one name do not undo each other.
        Source.objects.select_for_update().filter(name=source.name).order_by("pk").first()
        newer = Source.objects.filter(
            name=source.name, state=Source.State.LIVE, pk__gt=source.pk
        ).exists()
        if newer:
            source.state = Source.State.REPLACED
        else:
            Source.objects.filter(name=source.name, state=Source.State.LIVE).update(
                state=Source.State.REPLACED
            )
        if landed.kind == Source.Kind.TITLES and not newer:
            lost, held = upsert_titles(landed.table, source)
            summary.held_changes += held
            if lost:
                rejected["unknown_title"] = Rejects(len(lost), lost[:20])
        source.save()
        _write_rejected(source, rejected)
    summary.rows_read += landed.rows_read
    summary.rows_kept += len(landed.table)
    summary.rejected.update({reason: r.rows for reason, r in rejected.items()})


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
    raise Refused("other ingests keep changing the same titles: run it again when they are done")


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
    for number, day in enumerate(sorted(stale)):
        progress("days", number, len(stale))
        for title, unit in _roll_up_day(day, stale[day], live, titles, summary):
            waiting[title].append(unit)
            held += len(unit.partials)
        if held > _PARTIALS_AT_ONCE:
            _publish_titles(waiting, titles, live, run, summary)
            waiting.clear()
            held = 0
    progress("days", len(stale), len(stale))
    _publish_titles(waiting, titles, live, run, summary)


def _publish_titles(
    waiting: Mapping[str, Sequence[Unit]],
    titles: Mapping[str, Title],
    live: units.Live,
    run: Ingest,
    summary: Summary,
) -> None:
    for key in sorted(waiting):
        done = publish.publish_segments(
            titles[key],
            waiting[key],
            seen=live.ids,
            settled_until=settled_until(),
            ingest=run,
        )
        summary.releases += len(done)


def _roll_up_day(
    day: date,
    keys: set[str],
    live: units.Live,
    titles: Mapping[str, Title],
    summary: Summary,
) -> Iterator[tuple[str, Unit]]:
    """The units of one day whose rows are not those that were published."""
    rows = staging.segments_of(day, keys, live.ids)
    with acting_as(PUBLISH):
        done = {
            r.title.key: r
            for r in Release.objects.filter(
                kind=Release.Kind.SEGMENTS, day=day, title__key__in=keys, state=Release.State.DONE
            ).select_related("title")
        }
    wanted: dict[str, Unit] = {}
    for key in sorted(keys):
        found = rows.get(key, staging.NO_ROWS)
        digest = units.input_digest(titles[key], found.digest)
        made_of = found.sources | live.around(key, day)
        if key in done and done[key].input_digest == digest:
            with acting_as(PUBLISH):
                done[key].sources.set(made_of)
            continue
        wanted[key] = Unit(day, digest, made_of, len(found.table), _rejected(found), partials=[])
    partials: dict[str, list[Partial]] = defaultdict(list)
    tables = [rows[key].table for key in wanted if key in rows]
    if tables:
        runtimes = {key: titles[key].runtime_s for key in wanted}
        for partial in rollup(
            staging.join(tables), day=day, key=settings.PUBLISHER_KEY, runtimes=runtimes
        ):
            partials[partial.title_id].append(partial)
    for key, unit in wanted.items():
        summary.duplicates += int(str(unit.rejected.get("duplicate", 0)))
        yield key, replace(unit, partials=partials[key])


def _rejected(rows: staging.Rows) -> dict[str, object]:
    found: dict[str, object] = {}
    if rows.duplicates:
        found["duplicate"] = sum(rows.duplicates.values())
        found["duplicate_by_source"] = {str(s): n for s, n in rows.duplicates.items()}
    if rows.two_viewers:
        found["two_viewers"] = rows.two_viewers
    return found


def _publish_stale_danmu(run: Ingest, summary: Summary, progress: Progress) -> None:
    for _ in range(_ATTEMPTS):
        with acting_as(PUBLISH):
            live = units.live(Source.Kind.DANMU)
            stale = sorted(units.stale_danmu(live))
            titles = {t.key: t for t in Title.objects.filter(key__in=stale)}
        try:
            for number, key in enumerate(stale):
                progress("danmu", number, len(stale))
                rows = staging.danmu_of(key, live.of(key))
                digest = units.input_digest(titles[key], rows.digest)
                with acting_as(PUBLISH):
                    done = Release.objects.filter(
                        kind=Release.Kind.DANMU, title=titles[key], state=Release.State.DONE
                    ).first()
                    if done and done.input_digest == digest:
                        done.sources.set(live.of(key))
                        continue
                publish_danmu(titles[key], rows, digest, seen=live.ids, ingest=run)
                summary.duplicates += sum(rows.duplicates.values())
                summary.releases += 1
            progress("danmu", len(stale), len(stale))
            return
        except Stale:
            continue
    raise Refused("other ingests keep changing the same titles: run it again when they are done")


def _settle(summary: Summary, progress: Progress) -> None:
    """Publish the pieces of days that have settled since they were ingested."""
    until = settled_until()
    with acting_as(PUBLISH):
        titles = publish.titles_with_loose_days(until)
    for number, title in enumerate(titles):
        progress("settling", number, len(titles))
        publish.publish_segments(title, [], seen=frozenset(), settled_until=until)


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
