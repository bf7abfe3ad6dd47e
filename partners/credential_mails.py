"""Mails about credentials: to all owners when one is made, to its maker before it ends.

No mail holds a token.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F, Value
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from engagement.roles import WORKER, acting_as
from partners.credentials import live
from partners.models import Credential, Membership, User, with_people

log = logging.getLogger(__name__)

TOLD_BEFORE = timedelta(days=7)


def tell_owners(credential: Credential, *, by: User) -> None:
    """That there is a new one: an owner who did not make it learns of it at once."""
    owners = with_people(Membership.objects.all(), "user").filter(
        partner_id=credential.partner_id, role=Membership.Role.OWNER, user__is_active=True
    )
    for owner in owners:
        _send("made", credential, owner.user, by=by)


def remind() -> int:
    """Tell the makers of those that end within a week, each once. Returns how many were told.

    One whose mail cannot be handed over is tried again at the next call.
    """
    with acting_as(WORKER):
        due = live(Credential.objects.all()).filter(
            reminded_at__isnull=True,
            replaced_by__isnull=True,
            maker__user__is_active=True,
            partner__suspended_at__isnull=True,
            expires_at__lt=Now() + Value(TOLD_BEFORE),
            expires_at__gt=F("made_at") + Value(TOLD_BEFORE),
        )
        ids = list(due.values_list("pk", flat=True))
    return sum(_remind(credential_id) for credential_id in ids)


def _remind(credential_id: UUID) -> bool:
    try:
        with acting_as(WORKER):
            rows = Credential.objects.filter(pk=credential_id, reminded_at__isnull=True)
            if rows.update(reminded_at=Now()) != 1:
                return False
            credential = Credential.objects.select_related("partner", "maker__user").get(
                pk=credential_id
            )
            if credential.maker is not None:
                _send("ends", credential, credential.maker.user)
    except OSError:  # smtplib's errors are such
        log.exception("credential %s: its maker could not be told", credential_id)
        return False
    return True


def _send(what: str, credential: Credential, to: User, by: User | None = None) -> None:
    with translation.override(to.language):
        context = {
            "PORTAL_NAME": settings.PORTAL_NAME,
            "what": what,
            "credential": credential,
            "by": by.email if by else "",
            "partner": credential.partner.name,
            "url": settings.BASE_URL + reverse("credentials", args=[credential.partner.slug]),
        }
        subject = render_to_string("partners/credential_subject.txt", context)
        message = EmailMessage(
            subject=" ".join(subject.split()),
            body=render_to_string("partners/credential_message.txt", context),
            to=[to.email],
        )
    message.send()
