"""Landed files into the ledger of Sources and into staging; nothing is published here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from engagement import formats
from engagement.formats import Catalogue, Landed, Options, Quarantined, Reading, Rejects
from engagement.models import Ingest, Rejected, Source, Title
from engagement.pipeline import staging
from engagement.pipeline.titles import upsert_titles
from engagement.roles import PUBLISH, acting_as

MAP_NAME = "titles.map.csv"
SAMPLE_MARK = "SAMPLE"
"""A file of this name marks everything in its folder as sample data."""

_NOT_DATA = (MAP_NAME, SAMPLE_MARK)
_NOT_DATA_STEMS = ("readme", "license", "licence", "manifest")


class Refused(Exception):
    """The run as a whole cannot be done; says why."""


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
    """What one run read, refused and published, and by which engine."""

    engine: str = "embedded"
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
    replaced: dict[str, str] = field(default_factory=dict)

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


def title_maps(
    files: Sequence[File], run: Ingest, summary: Summary
) -> dict[Path | None, dict[tuple[str, str], str]]:
    """What each folder's titles.map.csv say, with names as under the folder ingested."""
    maps: dict[Path | None, dict[tuple[str, str], str]] = {}
    roots = {f.root for f in files if f.root} | {f.path.parent for f in files if not f.root}
    for root in sorted(roots):
        entries: dict[tuple[str, str], str] = {}
        of_folder = any(f.root == root for f in files)
        for path in sorted(root.rglob(MAP_NAME) if of_folder else root.glob(MAP_NAME)):
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


def land(
    file: File,
    options: Options,
    title_map: Mapping[tuple[str, str], str],
    run: Ingest,
    summary: Summary,
) -> None:
    """One file into the ledger and into staging; nothing of it is published yet."""
    summary.files += 1
    sha256, place = staging.keep(file.path)
    said = _said(file, options, title_map)
    with acting_as(PUBLISH):
        now_live = Source.objects.filter(name=file.name, state=Source.State.LIVE).first()
        same = now_live is not None and (now_live.sha256, now_live.options) == (sha256, said)
        if now_live is not None and same and not _may_read_more_now(now_live):
            summary.unchanged += 1
            return
    source = Source(
        name=file.name,
        sha256=sha256,
        kind=_named_kind(file),
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
    try:
        landed = _read(place, file.name, options, title_map, said, timezone.now())
    except Quarantined as error:
        _quarantine(file, error, source, run, summary)
        return
    _take_in(source, landed, summary)


def _read(
    place: Path,
    name: str,
    options: Options,
    title_map: Mapping[tuple[str, str], str],
    said: Mapping[str, Any],
    now: datetime,
) -> Landed:
    """Read kept bytes by the catalogue as it is. Raises Quarantined."""
    with acting_as(PUBLISH):
        runtimes = dict(Title.objects.values_list("key", "runtime_s"))
        series = Title.objects.filter(kind=Title.Kind.SERIES).values_list("key", flat=True)
        catalogue = Catalogue(runtimes, frozenset(series))
    reading = Reading(
        home=settings.HOME_TERRITORY,
        zone=ZoneInfo(settings.TIME_ZONE),
        now=now,
        title_map=title_map,
        beside=kept_beside(said),
    )
    return formats.read(place, name=name, options=options, catalogue=catalogue, settings=reading)


def stage_again(source: Source) -> None:
    """Stage a live Source's rows anew from its kept bytes, as they were read when they landed.

    Raises Refused where the bytes are gone, or cannot be read any more.
    """
    place = Path(settings.SOURCES) / source.sha256
    if not place.exists():
        raise Refused(f"the bytes of {source.name} are gone from {settings.SOURCES}")
    said = source.options
    options = Options(
        title=said.get("title"),
        territory=said.get("territory"),
        day=date.fromisoformat(said["day"]) if said.get("day") else None,
        format=said.get("format") or source.format or None,
    )
    bare = Path(source.name).name
    mapped = {(bare, part): title for part, title in said.get("map", {}).items()}
    try:
        landed = _read(place, source.name, options, mapped, said, source.landed_at)
    except Quarantined as error:
        raise Refused(f"{source.name} cannot be read again: {error.problem}") from error
    staging.stage(source.pk, landed.kind, landed.table)


def _said(
    file: File, options: Options, title_map: Mapping[tuple[str, str], str]
) -> dict[str, object]:
    """What decides, beside a file's bytes, how it is read: the command's words, its map, and
    the files that a log of several tables is read with, by the SHA-256 under which they are kept.
    """
    said: dict[str, object] = {
        key: str(value) for key, value in vars(options).items() if value is not None
    }
    beside = {one.name: staging.keep(one)[0] for one in formats.companions(file.path)}
    if beside:
        said["beside"] = beside
    bare = file.path.name.removesuffix(".gz")
    mapped = {
        part: title
        for (name, part), title in sorted(title_map.items())
        if Path(name).name.removesuffix(".gz") == bare
    }
    return {**said, "map": mapped} if mapped else said


def kept_beside(said: Mapping[str, Any]) -> dict[str, Path]:
    """Where the files are kept that a Source of these options is read with."""
    return {name: settings.SOURCES / sha256 for name, sha256 in said.get("beside", {}).items()}


def _may_read_more_now(source: Source) -> bool:
    """True where rows were refused for what the catalogue said, and it has changed since."""
    return (
        source.rejected.filter(reason__in=("unknown_title", "out_of_range")).exists()
        and Source.objects.filter(
            kind=Source.Kind.TITLES, state=Source.State.LIVE, pk__gt=source.pk
        ).exists()
    )


def _named_kind(file: File) -> str:
    """What the file's name says it holds; "" where it says nothing."""
    stem = file.path.name.lower()
    return next((kind.value for kind in Source.Kind if stem.startswith(kind.value)), "")


def _quarantine(
    file: File, error: Quarantined, source: Source | None, run: Ingest, summary: Summary
) -> None:
    source = source or Source(
        name=file.name, sha256=staging.keep(file.path)[0], kind=_named_kind(file), ingest=run
    )
    source.state = Source.State.QUARANTINED
    source.kind = error.kind or source.kind
    source.format = error.format or source.format
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


def _instead(before: Source, now: Source) -> str:
    """What a Source of the same name held, and holds: also which titles it no longer speaks of."""
    told = f"{before.rows_kept} rows before, {now.rows_kept} now"
    if Source.Kind.TITLES in (before.kind, now.kind):
        return told
    try:
        gone = sorted(staging.units(before.pk).keys() - staging.units(now.pk).keys())
    except staging.Missing:  # its rows are gone from the disk: what it held is not known
        return told
    more = f" and {len(gone) - _TOLD} more" if len(gone) > _TOLD else ""
    return f"{told}; nothing of {', '.join(gone[:_TOLD])}{more} any longer" if gone else told


_TOLD = 5


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
        live = Source.objects.filter(name=source.name, state=Source.State.LIVE)
        newer = live.filter(pk__gt=source.pk).exists()
        if newer:
            source.state = Source.State.REPLACED
        else:
            for before in live.exclude(pk=source.pk):
                summary.replaced[source.name] = _instead(before, source)
            live.update(state=Source.State.REPLACED)
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
