"""Ending what a person can still do: sessions alone, or everything.

A session carries a hash of its user's `session_epoch` and is checked at each request, so that it
is over with the next one. PostgreSQL itself raises the epoch where a user's or a member's rights
change (partners/migrations/0011_accounts.py); this module is for the rest.
"""

from __future__ import annotations

from django.db.models import F

from partners.models import User


def end_sessions(user: User) -> None:
    """End every session of the user; `user` then knows the new epoch."""
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    user.refresh_from_db(fields=["session_epoch"])


def end_all_access(user: User) -> None:
    """End whatever the person holds: sessions now; what else opens a door is ended here too."""
    end_sessions(user)
