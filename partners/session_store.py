"""Django's sessions in `partners_session`: SESSION_ENGINE.

The cookie's key is kept as a hash. A session is over, by the database's clock, when it has not
been used for a while or was begun long ago; both are shorter for staff.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from partners.attempts import forget_old
from partners.models import Session

_NOTED_EVERY = timedelta(minutes=1)
"""The last use is written down this often: one write a minute, not one a request."""


def live_sessions() -> QuerySet[Session]:
    """Those that neither time-out has ended."""
    staff = Q(user__is_staff=True) | Q(user__is_superuser=True)
    return Session.objects.filter(
        (~staff | _within(settings.STAFF_SESSION_IDLE_MINUTES, settings.STAFF_SESSION_HOURS)),
        _within(settings.SESSION_IDLE_MINUTES, settings.SESSION_HOURS),
    )


def _within(idle_minutes: int, hours: int) -> Q:
    return Q(last_used_at__gt=Now() - timedelta(minutes=idle_minutes)) & Q(
        started_at__gt=Now() - timedelta(hours=hours)
    )


class SessionStore(SessionBase):
    ip: str | None = None
    user_agent = ""

    def _rows(self, session_key: str | None) -> QuerySet[Session]:
        return Session.objects.filter(key_sha256=hash_of(session_key or ""))

    def exists(self, session_key: str) -> bool:
        return self._rows(session_key).exists()

    def load(self) -> dict[str, Any]:
        row = live_sessions().filter(key_sha256=hash_of(self.session_key or "")).first()
        if row is None:
            self._session_key = None  # a key that we did not make is never taken over
            return {}
        self._note_use(row)
        return self.decode(row.data)

    def _note_use(self, row: Session) -> None:
        """Of requests at once one notes it: the others do not wait until that one is done."""
        stale = Session.objects.filter(pk=row.pk, last_used_at__lt=Now() - _NOTED_EVERY)
        with transaction.atomic():
            free = stale.select_for_update(skip_locked=True).values_list("pk", flat=True)
            Session.objects.filter(pk__in=list(free)).update(
                last_used_at=Now(), ip=self.ip or row.ip
            )

    def create(self) -> None:
        while True:
            self._session_key = self._get_new_session_key()  # type: ignore[attr-defined]
            try:
                self.save(must_create=True)
            except CreateError:
                continue
            self.modified = True
            return

    def save(self, must_create: bool = False) -> None:
        """Raises UpdateError for a session that was ended meanwhile: it is not made again."""
        if self.session_key is None:
            return self.create()
        content = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        told = {"data": self.encode(content), "user_id": content.get(SESSION_KEY)}
        if not must_create:
            if not self._rows(self.session_key).update(**told):
                raise UpdateError
            return None
        try:
            with transaction.atomic():
                Session.objects.create(
                    key_sha256=hash_of(self.session_key),
                    ip=self.ip,
                    user_agent=self.user_agent[:300],
                    **told,
                )
        except IntegrityError:
            raise CreateError from None
        return None

    def delete(self, session_key: str | None = None) -> None:
        self._rows(session_key or self.session_key).delete()

    @classmethod
    def clear_expired(cls) -> None:
        """What `manage.py clearsessions` calls; counted attempts of yesterday go as well."""
        Session.objects.exclude(pk__in=live_sessions().values("pk")).delete()
        forget_old()


def hash_of(session_key: str) -> str:
    return hashlib.sha256(session_key.encode()).hexdigest()
