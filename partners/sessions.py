"""A person's sessions: which there are, and ending them.

A session carries a hash of its user's password and `session_epoch`, compared at each request, so
that it is over with the next one. PostgreSQL itself raises the epoch where a user's or a
member's rights change (partners/migrations/0011_accounts.py); this module is for the rest.
"""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest

from partners.credentials import revoke
from partners.login_events import record_of_login
from partners.models import Credential, Session, User
from partners.session_store import SessionStore, hash_of, live_sessions


def sessions_of(user: User) -> list[Session]:
    """Those that would be let in now, the one used last first."""
    store, expected = SessionStore(), user.get_session_auth_hash()
    rows = live_sessions().filter(user=user).order_by("-last_used_at", "-started_at")
    return [row for row in rows if store.decode(row.data).get(HASH_SESSION_KEY) == expected]


@transaction.atomic
def end_session(user: User, id: UUID, *, request: HttpRequest) -> bool:
    """End one of the user's own sessions. False where there is none of that id."""
    deleted, _ = Session.objects.filter(pk=id, user=user).delete()
    if deleted:
        record_of_login("session.ended", user.email, actor=user, request=request, sessions=1)
    return bool(deleted)


@transaction.atomic
def end_other_sessions(user: User, *, request: HttpRequest) -> int:
    """End all of the user's sessions but the one of `request`; how many there were."""
    here = hash_of(request.session.session_key or "")
    deleted, _ = Session.objects.filter(user=user).exclude(key_sha256=here).delete()
    record_of_login("session.ended", user.email, actor=user, request=request, sessions=deleted)
    return deleted


def end_sessions(user: User) -> None:
    """End every session of the user; `user` then knows the new epoch."""
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    user.refresh_from_db(fields=["session_epoch"])


@transaction.atomic
def end_all_access(user: User, *, by: User, reason: str, request: HttpRequest | None = None) -> int:
    """End whatever the person holds: every session, and every credential they made.

    How many credentials there were. What they may do is left as it is: they can sign in anew.
    """
    end_sessions(user)
    made = Credential.objects.filter(maker__user=user, revoked_at__isnull=True)
    credentials = sum(revoke(c, by=by, request=request) for c in made.select_related("partner"))
    record_of_login(
        "access.ended",
        user.email,
        actor=by,
        request=request,
        reason=reason,
        credentials=credentials,
    )
    return credentials
