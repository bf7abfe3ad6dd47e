"""Second factors: who must have one, which codes are accepted, and what a change of one does.

The factors are django-allauth's `Authenticator` rows: an authenticator app (TOTP), passkeys
(WebAuthn) and recovery codes. The pages are in portal/web/.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import unicodedata
from collections.abc import Iterable

from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.mfa.utils import decrypt
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from partners.login_events import record_of_login
from partners.models import Membership, User
from partners.sessions import end_sessions

TOTP = Authenticator.Type.TOTP
WEBAUTHN = Authenticator.Type.WEBAUTHN
RECOVERY_CODES = Authenticator.Type.RECOVERY_CODES

_NAMES = {
    TOTP: _("Authenticator app"),
    WEBAUTHN: _("Passkey"),
    RECOVERY_CODES: _("Recovery codes"),
}

Factors = frozenset[tuple[str, str]]
"""(type, digest of what it is) of each factor; a recovery code that is used changes nothing."""


def required_of(user: User) -> bool:
    """Staff always; a member where a partner of theirs asks for it."""
    if user.is_staff or user.is_superuser:
        return True
    return Membership.objects.filter(user=user, partner__requires_mfa=True).exists()


def factors_of(user: User) -> Factors:
    return frozenset(
        (row.type, _digest(row.data)) for row in Authenticator.objects.filter(user=user)
    )


def signs_in(factors: Factors) -> Factors:
    """Those that a sign-in can rest on: recovery codes only stand in for one of them."""
    return frozenset(f for f in factors if f[0] != RECOVERY_CODES)


@transaction.atomic
def accept_code(user: User, code: str) -> Authenticator | None:
    """The authenticator that `code` belongs to, with the code used up; None for a wrong one.

    A TOTP code is accepted from the step before to the step after the present one (clocks
    differ), and never a step at or before the last one accepted (RFC 6238, 5.2): the step is
    kept in the row, under its lock, so that two requests cannot use one code.
    """
    given = "".join(unicodedata.normalize("NFKC", code).split())
    rows = Authenticator.objects.select_for_update().filter(
        user=user, type__in=[TOTP, RECOVERY_CODES]
    )
    for row in rows:
        if row.type == RECOVERY_CODES:
            if row.wrap().validate_code(given):
                return row
            continue
        step = totp_step(decrypt(row.data["secret"]), given)
        if step is not None and step > row.data.get("last_step", -1):
            row.data["last_step"] = step
            row.save(update_fields=["data"])
            return row
    return None


def totp_step(secret: str, code: str) -> int | None:
    """The time step whose code this is, of the three around now; None where it is none's."""
    now = int(time.time()) // int(app_settings.TOTP_PERIOD)
    for step in (now - 1, now, now + 1):
        if hmac.compare_digest(format_hotp_value(hotp_value(secret, step)), code):
            return step
    return None


@transaction.atomic
def changed(user: User, before: Factors, *, request: HttpRequest | None) -> None:
    """The owner changed their factors: every session of theirs ends, they are told by mail.

    The caller keeps the session in which it was done.
    """
    after = factors_of(user)
    added, removed = _types(after - before), _types(before - after)
    end_sessions(user)
    record_of_login(
        "second_factor.changed",
        user.email,
        actor=user,
        request=request,
        added=added,
        removed=removed,
    )
    tell(user, "changed", added=added, removed=removed, request=request)


@transaction.atomic
def reset(user: User, *, by: User, reason: str, request: HttpRequest | None = None) -> None:
    """Staff remove the lost factors of a person, who must set up anew; all sessions end."""
    removed = _types(factors_of(user))
    Authenticator.objects.filter(user=user).delete()
    end_sessions(user)
    record_of_login(
        "second_factor.reset",
        user.email,
        actor=by,
        request=request,
        reason=reason,
        removed=removed,
    )
    tell(user, "reset", added=[], removed=removed, request=None)


def tell(
    user: User,
    what: str,
    *,
    added: Iterable[str] = (),
    removed: Iterable[str] = (),
    request: HttpRequest | None,
) -> None:
    """Mail the owner, in their language: `what` is changed, reset, recovery_code_used or
    password_changed.
    """
    with translation.override(user.language):
        context = {
            "PORTAL_NAME": settings.PORTAL_NAME,
            "what": what,
            "added": [_NAMES[t] for t in added],
            "removed": [_NAMES[t] for t in removed],
            "at": timezone.now(),
            "ip": request.META.get("REMOTE_ADDR", "") if request else "",
            "url": settings.BASE_URL,
        }
        subject = render_to_string("partners/account_change_subject.txt", context)
        message = EmailMessage(
            subject=" ".join(subject.split()),
            body=render_to_string("partners/account_change_message.txt", context),
            to=[user.email],
        )
    message.send()


def _types(factors: Factors) -> list[str]:
    return sorted(factor[0] for factor in factors)


def _digest(data: dict[str, object]) -> str:
    """What makes a factor another one: not its name, nor what it was used for."""
    fixed = {k: data[k] for k in ("secret", "seed", "credential") if k in data}
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()
