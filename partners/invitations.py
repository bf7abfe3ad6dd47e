"""Inviting one address to a partner, or to the platform's staff, by mail.

Only the hash of a link's token is kept. Opening the link changes nothing; the form behind it
(portal/web) calls `accept`.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from partners.audit import record
from partners.models import Invitation, Membership, Partner, User

VALID_FOR = timedelta(days=7)


class InvitationError(Exception):
    """An invitation that may not be made, in words for the person who tried it."""


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def invite(
    *,
    email: str,
    partner: Partner | None,
    role: str,
    language: str,
    by: User,
    request: HttpRequest | None = None,
) -> Invitation:
    """Send one mail with a link that works once, for seven days.

    An earlier open invitation of the same address to the same partner is withdrawn. Without a
    partner the invitation is to the platform's staff, which only a superuser may send. Raises
    InvitationError for that, for a member, or for a suspended partner; and what the mail
    server's client raises (OSError), in which case nothing is kept.
    """
    email = email.strip().lower()
    if partner is None and not by.is_superuser:
        raise InvitationError(_("Only a superuser invites staff."))
    if partner is None and User.objects.filter(email__iexact=email, is_staff=True).exists():
        raise InvitationError(_("This person is platform staff already."))
    if partner is not None and partner.suspended_at is not None:
        raise InvitationError(_("The partner is suspended."))
    if (
        partner is not None
        and Membership.objects.filter(partner=partner, user__email__iexact=email).exists()
    ):
        raise InvitationError(_("This person is a member of the partner already."))
    Invitation.objects.filter(partner=partner, email=email, accepted_at__isnull=True).delete()
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        email=email,
        partner=partner,
        role=role if partner else "",
        language=language,
        token_sha256=sha256(token),
        made_by=by,
        expires_at=timezone.now() + VALID_FOR,
    )
    record(
        "invitation.sent",
        actor=by,
        partner=partner,
        target=email,
        request=request,
        role=invitation.role,
        language=language,
    )
    _mail(invitation, token).send()
    return invitation


def _mail(invitation: Invitation, token: str) -> EmailMessage:
    """The invitation in the invitee's language."""
    with translation.override(invitation.language):
        partner = invitation.partner
        to = partner.name_in(invitation.language) if partner else settings.PORTAL_NAME
        body = render_to_string(
            "mail/invitation.txt",
            {
                "portal": settings.PORTAL_NAME,
                "to": to,
                "partner": partner,
                "role": invitation.get_role_display(),
                "by": invitation.made_by.get_full_name(),
                "link": f"{settings.BASE_URL}/account/invitation/{token}/",
                "expires_at": timezone.localtime(invitation.expires_at),
                "zone": settings.TIME_ZONE,
            },
        )
        subject = _("%(portal)s: your invitation to %(to)s") % {
            "portal": settings.PORTAL_NAME,
            "to": to,
        }
        return EmailMessage(" ".join(subject.split()), body, to=[invitation.email])
