"""A titles file into the catalogue.

Everything applies at once but a changed parent or kind, which may widen what a granted series
opens: that is held as a TitleChange until a second person has decided.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from django.utils.text import slugify

from engagement.models import Source, Tag, Title, TitleChange

_SLUG_LENGTH = 80
_TAGS = (
    ("genres", Tag.Kind.GENRE),
    ("cast", Tag.Kind.CAST),
    ("source_work", Tag.Kind.SOURCE_WORK),
)

Lost = list[dict[str, Any]]


def upsert_titles(table: pa.Table, source: Source) -> tuple[Lost, int]:
    """Apply a landed titles table, its last row counting where a title stands twice.

    Returns the rows whose parent or cut_of is no title, as rejected examples (the title goes in
    without it), and how many changes are held.
    """
    rows = {row["title_id"]: row for row in table.to_pylist()}
    titles = {t.key: t for t in Title.objects.filter(key__in=rows)}
    new = [key for key in rows if key not in titles]
    slugs = set(Title.objects.values_list("slug", flat=True))
    for key in new:
        titles[key] = Title(key=key, slug=_slug(key, slugs), kind=rows[key]["kind"])
        slugs.add(titles[key].slug)
    for key, row in rows.items():
        _describe(titles[key], row, source)
        titles[key].save()
    named = {row[c] for row in rows.values() for c in ("parent_title_id", "cut_of") if row[c]}
    known = {t.key: t for t in Title.objects.filter(key__in=named)} | titles
    lost: Lost = []
    held = 0
    for key, row in rows.items():
        parent, cut_of = (_named(row, c, known, lost) for c in ("parent_title_id", "cut_of"))
        title = titles[key]
        title.cut_of = cut_of
        if key in new:
            title.parent = parent
        elif (title.kind, title.parent_id) != (row["kind"], parent and parent.pk):
            held += _hold(title, row["kind"], parent, source)
        title.save(update_fields=["parent", "cut_of"])
        _tag(title, row)
    return lost, held


def _describe(title: Title, row: Mapping[str, Any], source: Source) -> None:
    title.name_zh, title.name_en = row["name_zh"], row["name_en"]
    title.runtime_s, title.released_on = row["runtime_s"], row["released_on"]
    title.sample = source.sample


def _named(
    row: Mapping[str, Any], column: str, known: Mapping[str, Title], lost: Lost
) -> Title | None:
    name = row[column]
    if not name:
        return None
    if name == row["title_id"] or name not in known:
        why = "is the title itself" if name == row["title_id"] else "is no title"
        lost.append({"line": row["line"], "why": f"{column} {name!r} {why}"})
        return None
    return known[name]


def _hold(title: Title, kind: str, parent: Title | None, source: Source) -> int:
    """Hold a change, in place of one still undecided; 0 where the same is held already."""
    waiting = TitleChange.objects.filter(title=title, decided_at=None)
    if waiting.filter(kind=kind, parent=parent).exists():
        return 0
    waiting.delete()
    TitleChange.objects.create(title=title, kind=kind, parent=parent, source=source)
    return 1


def _tag(title: Title, row: Mapping[str, Any]) -> None:
    wanted = [(kind, name[:200]) for column, kind in _TAGS for name in row[column] or ()]
    have = set(title.tags.values_list("kind", "name"))
    if have != set(wanted):
        title.tags.set([Tag.objects.get_or_create(kind=k, name=n)[0] for k, n in wanted])


def _slug(key: str, taken: set[str]) -> str:
    """The title_id as it may stand in a URL, with a number where another title has it."""
    plain = slugify(unicodedata.normalize("NFKC", key))[: _SLUG_LENGTH - 8] or "title"
    slug, number = plain, 1
    while slug in taken:
        number += 1
        slug = f"{plain}-{number}"
    return slug
