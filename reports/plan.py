"""What goes into a bundle, and whether it may still be read.

A bundle is asked for by a member or made for one by a run; either way its content is what that
one recipient may export at the moment it is built, in settled days only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _

from engagement.families.registry import RESOURCES
from engagement.models import Title
from engagement.query import Change, changes, children_behind, clip, sources_of
from engagement.scope import OutsideScope, Part, Query, Refused, Scope, Window
from engagement.settling import settled_until
from partners.access import scope_for
from partners.audit import record
from partners.models import Membership
from reports.jobs import cancel, ring
from reports.models import FORMATS, PAPERS, REPORT_LANGUAGES, Bundle, Job, Run
from reports.render.document import days_before

EXIT = "export"
ORDERING = (Membership.Role.OWNER, Membership.Role.ANALYST)
"""Who asks for bundles; a viewer receives them."""
MOST_WAITING = 20
"""Of one partner, asked for by its members: workers take bundles in turn, whoever's they are."""


class CannotAsk(Exception):
    """A bundle that would be empty, in words for whoever asked."""


@dataclass(frozen=True)
class Covered:
    """One tuple of what a file was made under; `family` is several, parted by |, where numbers
    are derived from families that one grant must hold together. With `counted_in` the title is
    not in the file itself: it is a child that the own rows of that series may count.
    """

    title_id: int
    family: str
    part: Part
    counted_in: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "title_id": self.title_id,
            "family": self.family,
            "territory": self.part.territory,
            "from": self.part.window.since.isoformat(),
            "until": self.part.window.until.isoformat(),
            **({"counted_in": self.counted_in} if self.counted_in is not None else {}),
        }


@dataclass(frozen=True)
class Chapter:
    """One title of a bundle and the clipped queries that its part answers."""

    title: Title
    queries: tuple[Query, ...]

    def parts(self) -> tuple[Part, ...]:
        return tuple(sorted({p for q in self.queries for p in q.parts or ()}))


def ask_bundle(
    *,
    membership: Membership,
    titles: Sequence[int] | None,
    window: Window,
    language: str,
    formats: Collection[str] = (),
    paper: str = "a4",
    run: Run | None = None,
    request: HttpRequest | None = None,
) -> Bundle:
    """Queue a bundle for a member, in the open transaction. `titles` None is all they may see.

    It covers the settled days of the window, as of now.
    The same wish while one is still being made gives that one. With `run` the bundle is made
    by a schedule, which a viewer may receive.
    Raises Refused for a title that is not in scope, CannotAsk where nothing would be in it,
    ValueError for a language, format or paper that is none of ours.
    """
    if language not in dict(REPORT_LANGUAGES) or paper not in dict(PAPERS):
        raise ValueError(f"no such language or paper: {language}, {paper}")
    if unknown := sorted(set(formats) - set(dict(FORMATS))):
        raise ValueError(f"no such format: {', '.join(unknown)}")
    scope = scope_for(membership, EXIT, titles, delivered=run is not None)
    if titles is not None and not set(titles) <= scope.titles():
        raise Refused
    if not scope.entitled:
        raise CannotAsk(_("Nothing is granted to you for export."))
    settled = settled_part(window)
    if settled is None or not content(scope, settled):
        raise CannotAsk(_("There are no settled days of what is granted to you in this period."))
    asked = {
        "titles": None if titles is None else sorted(set(titles)),
        "from_day": settled.since,
        "until": settled.until,
        "language": language,
        "formats": [name for name, _label in FORMATS if name in formats],
        "paper": paper,
    }
    waiting = Bundle.objects.filter(
        Q(**asked) if titles is not None else Q(titles__isnull=True, **_without(asked, "titles")),
        recipient=membership,
        run=run,
        state__in=[Job.State.QUEUED, Job.State.RUNNING],
    ).first()
    if waiting is not None:
        return waiting
    if run is None and _waiting_of(membership) >= MOST_WAITING:
        raise CannotAsk(_("Too many bundles are being made already: wait for one of them."))
    bundle = Bundle.objects.create(
        partner_id=membership.partner_id, recipient=membership, run=run, **asked
    )
    if run is None:
        record(
            "bundle.asked",
            actor=membership.user,
            partner=membership.partner,
            target=bundle.pk,
            request=request,
            titles=asked["titles"],
            window=str(settled),
            **({"formats": asked["formats"]} if asked["formats"] else {}),
        )
    ring(Bundle, bundle.pk)
    return bundle


@transaction.atomic
def cancel_bundle(
    *, membership: Membership, bundle: Bundle, request: HttpRequest | None = None
) -> bool:
    """Stop a bundle of the member's own that waits or is being made. False where it is over.

    Raises Refused for somebody else's, and for who may not ask for any.
    """
    if bundle.recipient_id != membership.pk or membership.role not in ORDERING:
        raise Refused
    if not cancel(bundle.pk):
        return False
    record(
        "bundle.cancelled",
        actor=membership.user,
        partner=membership.partner,
        target=bundle.pk,
        request=request,
    )
    return True


def _waiting_of(membership: Membership) -> int:
    """Bundles that the partner's members asked for and that are not made yet."""
    return Bundle.objects.filter(
        partner_id=membership.partner_id,
        run__isnull=True,
        state__in=[Job.State.QUEUED, Job.State.RUNNING],
    ).count()


def settled_part(window: Window) -> Window | None:
    """The days of a window that have settled; None where none has."""
    return window.common(Window(date.min, settled_until()))


def content(scope: Scope, window: Window) -> list[Chapter]:
    """Every title and resource of the scope, clipped to the window's settled days.

    Empty where nothing is granted in it.
    """
    settled = settled_part(window)
    if settled is None:
        return []
    chapters = []
    for title in Title.objects.filter(pk__in=scope.titles()).order_by("slug"):
        families = scope.families(title.pk)
        queries = [
            clipped
            for resource in RESOURCES.values()
            if resource.opened_by(families)
            if (clipped := clip(Query(title.pk, resource.name, settled), scope)) is not None
        ]
        if queries:
            chapters.append(Chapter(title, tuple(queries)))
    return chapters


COMPARED = ("viewing", "retention", "moments", "danmu", "discussion", "sharing")
"""The resources that a report tells against the days before."""


def content_before(scope: Scope, chapters: Iterable[Chapter], window: Window) -> list[Chapter]:
    """What the chapters are compared with: the same resources over as many days before.

    Clipped to what is granted there; a title of which that is nothing is left out.
    """
    before = days_before(window)
    if before is None:
        return []
    found = []
    for chapter in chapters:
        queries = [
            clipped
            for resource in (q.resource for q in chapter.queries if q.resource in COMPARED)
            if (clipped := clip(Query(chapter.title.pk, resource, before), scope)) is not None
        ]
        if queries:
            found.append(Chapter(chapter.title, tuple(queries)))
    return found


def restated_before(
    scope: Scope, chapters: Iterable[Chapter], window: Window
) -> list[tuple[Change, Covered]]:
    """The numbers of the days before that have changed since they settled, and under which tuple
    each is told. Of the families that the chapters hold, oldest first.
    """
    before = days_before(window)
    if before is None:
        return []
    held = {(c.title.pk, RESOURCES[q.resource].family) for c in chapters for q in c.queries}
    found = [
        change
        for change in changes(scope, {title for title, _ in held})
        if (change.title_id, change.family) in held and change.window.common(before) is not None
    ]
    return [
        (c, Covered(c.title_id, c.family, Part(c.territory, c.window)))
        for c in sorted(found, key=lambda c: (c.title_id, c.window, c.family, c.at))
    ]


def tuples_of(chapters: Iterable[Chapter], scope: Scope) -> list[Covered]:
    """Every (title, family, territory, window) that the chapters answer from, and those of the
    children that a series' own rows are read by.
    """
    found: dict[Covered, None] = {}
    for chapter in chapters:
        for query in chapter.queries:
            for families in sources_of(query, scope):
                name = "|".join(families)
                found |= {Covered(query.title_id, name, part): None for part in query.parts or ()}
            family = RESOURCES[query.resource].family
            for child, parts in children_behind(query, scope).items():
                found |= {Covered(child, family, part, query.title_id): None for part in parts}
    return list(found)


def covered(bundle: Bundle, scope: Scope) -> bool:
    """Whether every tuple that the bundle was made under is inside the live scope.

    A bundle that is not made yet has none, and is not covered.
    """
    return bool(bundle.scope) and all(_is_inside(entry, scope) for entry in bundle.scope)


def _is_inside(entry: dict[str, Any], scope: Scope) -> bool:
    window = Window(date.fromisoformat(entry["from"]), date.fromisoformat(entry["until"]))
    query = Query(entry["title_id"], entry["family"], window, entry["territory"])
    if entry.get("counted_in") is not None:
        scope = scope.counting()
    try:
        scope.check(query, entry["family"].split("|"))
    except (Refused, OutsideScope):
        return False
    return True


def _without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {k: v for k, v in values.items() if k != name}
