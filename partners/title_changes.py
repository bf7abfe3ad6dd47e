"""A title's new parent or kind, once a second person has seen who gains and who loses.

The file that asked for it is the first person; see engagement.models.TitleChange.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.translation import gettext as _

from engagement.models import Title, TitleChange
from partners.audit import record
from partners.blocks import Difference
from partners.difference import of_trial, standing
from partners.grants import hold_holdings
from partners.models import User
from partners.refreshing import Effect, refresh


class TitleChangeError(Exception):
    """A step that the change's state forbids, in words for the person who tried it."""


class _Undo(Exception):
    pass


def effects(change: TitleChange) -> list[Effect]:
    """Which grants would gain or lose which titles: the change is made, read and undone.

    Taken the same way as the change itself, so that what is shown cannot differ from it.
    """
    found: list[Effect] = []
    try:
        with transaction.atomic():
            found = _apply(change, None, None)
            raise _Undo
    except _Undo:
        return found


def difference(change: TitleChange) -> Difference:
    """What the change would open and close: titles, families, territories, days and exits."""
    touched = {change.title_id, change.parent_id, change.title.parent_id} - {None}
    return of_trial(
        lambda: _apply(change, None, None),
        lambda: standing(Q(title__in=touched) | Q(title__parent__in=touched)),
    )


@transaction.atomic
def accept(change: TitleChange, *, by: User, request: HttpRequest | None = None) -> None:
    """Make the change and refresh what it opens. Raises TitleChangeError once decided."""
    change = _decide(change, accepted=True)
    effects = _apply(change, by, request)
    _record("title_change.accepted", change, by, request, effects)


@transaction.atomic
def refuse(change: TitleChange, *, by: User, request: HttpRequest | None = None) -> None:
    """Leave the title as it is. Raises TitleChangeError once decided."""
    _record("title_change.refused", _decide(change, accepted=False), by, request, [])


def _decide(change: TitleChange, *, accepted: bool) -> TitleChange:
    change = TitleChange.objects.select_for_update(of=("self",)).get(pk=change.pk)
    if change.decided_at is not None:
        raise TitleChangeError(_("This change has been decided already."))
    TitleChange.objects.filter(pk=change.pk).update(decided_at=Now(), accepted=accepted)
    return change


def _apply(change: TitleChange, by: User | None, request: HttpRequest | None) -> list[Effect]:
    hold_holdings(alone=True)
    title = Title.objects.select_for_update(of=("self",)).get(pk=change.title_id)
    touched = {title.pk, title.parent_id, change.parent_id} - {None}
    title.kind, title.parent_id = change.kind, change.parent_id
    title.save(update_fields=["kind", "parent"])
    return refresh((pk for pk in touched if pk is not None), by=by, request=request, widens=True)


def _record(
    action: str,
    change: TitleChange,
    by: User,
    request: HttpRequest | None,
    effects: list[Effect],
) -> None:
    record(
        action,
        actor=by,
        target=change.title.slug,
        request=request,
        kind=change.kind,
        parent=change.parent.slug if change.parent else None,
        gained=sorted(f"{e.grant.partner.slug}:{e.title.slug}" for e in effects if e.gains),
        lost=sorted(f"{e.grant.partner.slug}:{e.title.slug}" for e in effects if not e.gains),
    )
