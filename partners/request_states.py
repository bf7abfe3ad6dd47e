"""The states of a request for access, each step recorded; and how it follows its proposal."""

from __future__ import annotations

from django.db.models.functions import Now
from django.http import HttpRequest

from partners.audit import record
from partners.models import AccessRequest, Grant, User

State = AccessRequest.State


def follow(grant: Grant, *, by: User, request: HttpRequest | None = None) -> None:
    """What became of the proposal becomes of the requests that led to it."""
    moves = {
        (State.PROPOSED, Grant.State.APPROVED): State.GRANTED,
        (State.PROPOSED, Grant.State.REVOKED): State.WAITING,
    }
    for asked in AccessRequest.objects.select_for_update().filter(grant=grant):
        to = moves.get((State(asked.state), Grant.State(grant.state)))
        if to is not None:
            move(asked, to, by, request)


def move(
    asked: AccessRequest, to: AccessRequest.State, by: User, request: HttpRequest | None
) -> AccessRequest:
    asked.state, asked.changed_at = to, Now()
    asked.decided_by = by if to in (State.DECLINED, State.GRANTED) else None
    asked.save(update_fields=["state", "changed_at", "decided_by", "answer", "grant"])
    record_request(str(to), asked, by, request)
    return asked


def record_request(what: str, asked: AccessRequest, by: User, request: HttpRequest | None) -> None:
    record(
        f"access_request.{what}",
        actor=by,
        partner=asked.partner,
        target=asked.pk,
        request=request,
        title=asked.title.slug,
        families=asked.families,
        grant=asked.grant_id and str(asked.grant_id),
    )
