"""Invitations: a mail that lets one address become a member or staff.

Only the SHA-256 of the token is kept. Opening the link changes nothing; sending the form does.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from partners.audit import record
from partners.models import Invitation, Membership, Partner, User
from partners.roles import hands_out_roles

VALID_FOR = timedelta(days=7)


class InvitationError(Exception):
    """The invitation is used, expired or made up; or it is for another address.

    From `invite`: it may not be made, in words for the person who tried it.
    """


@transaction.atomic
def invite(
    *,
    email: str,
    partner: Partner | None,
    role: str,
    language: str,
    by: User,
    request: HttpRequest | None = None,
    limit_titles: Sequence[int] | None = None,
    limit_families: Sequence[str] | None = None,
) -> Invitation:
    """Write the invitation and send its mail, in the invitee's language.

    `partner` None invites platform staff, which only an administrator may. An earlier open
    invitation to the same place is withdrawn. Raises InvitationError for somebody who is there
    already or a suspended partner, and OSError (smtplib's errors are such) where the mail cannot
    be handed over; nothing is kept then.
    """
    email = email.strip().lower()
    _may_invite(email, partner, by)
    Invitation.objects.filter(email=email, partner=partner, accepted_at__isnull=True).delete()
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        email=email,
        partner=partner,
        role=role,
        language=language,
        limit_titles=None if limit_titles is None else list(limit_titles),
        limit_families=None if limit_families is None else list(limit_families),
        token_sha256=_hash(token),
        made_by=by,
        expires_at=timezone.now() + VALID_FOR,
    )
    record(
        "invitation.sent",
        actor=by,
        partner=partner,
        target=invitation.email,
        request=request,
        role=role,
        limit_titles=limit_titles,
        limit_families=limit_families,
    )
    _send(invitation, token)
    return invitation


def _may_invite(email: str, partner: Partner | None, by: User) -> None:
    if partner is None:
        if not hands_out_roles(by):
            raise InvitationError(_("Only administrators invite staff."))
        if User.objects.filter(email__iexact=email, is_staff=True).exists():
            raise InvitationError(_("This person is platform staff already."))
        return
    if partner.suspended_at is not None:
        raise InvitationError(_("The partner is suspended."))
    if Membership.objects.filter(partner=partner, user__email__iexact=email).exists():
        raise InvitationError(_("This person is a member of the partner already."))


def open_invitation(token: str) -> Invitation | None:
    """The invitation of a link that can still be used; None for any other link."""
    return _open(token_sha256=_hash(token))


def _open(**which: object) -> Invitation | None:
    """One that can be used, by its link or without it.

    It ends with the right of whoever made it, and where it gives more than they have by now.
    """
    found = (
        Invitation.objects.select_related("partner", "made_by")
        .filter(accepted_at__isnull=True, expires_at__gt=Now(), **which)
        .exclude(partner__suspended_at__isnull=False)
        .first()
    )
    return found if found is not None and _may_still_be(found) else None


def _may_still_be(invitation: Invitation) -> bool:
    by, partner = invitation.made_by, invitation.partner
    if partner is None:
        return hands_out_roles(by)
    if not by.is_active:
        return False
    if by.is_staff and by.has_perm("partners.add_invitation"):
        return by.limit_partners is None or partner.pk in by.limit_partners
    owner = Membership.objects.filter(user=by, partner=partner, role=Membership.Role.OWNER).first()
    return (
        owner is not None
        and _is_within(invitation.limit_titles, owner.limit_titles)
        and _is_within(invitation.limit_families, owner.limit_families)
    )


def _is_within(given: Sequence[object] | None, own: Sequence[object] | None) -> bool:
    return own is None or (given is not None and set(given) <= set(own))


def login_of(invitation: Invitation) -> User | None:
    """The login that the invited address has already."""
    return User.objects.filter(email__iexact=invitation.email).first()


@transaction.atomic
def accept(
    token: str,
    *,
    name: str,
    password: str,
    language: str,
    request: HttpRequest | None = None,
) -> User:
    """Make the login of a new address and what it was invited to.

    Raises InvitationError, also where the address has a login: that one joins by `join`.
    """
    invitation = _claim(token)
    if login_of(invitation) is not None:
        raise InvitationError
    user = User.objects.create_user(
        invitation.email,
        password,
        name=name,
        language=language,
        is_staff=invitation.partner is None,
    )
    # the mail has arrived: that is what verifying asks for
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    _enter(invitation, user, request)
    return user


@transaction.atomic
def join(token: str, *, user: User, request: HttpRequest | None = None) -> User:
    """Add what the invitation is for to the signed-in login of that very address.

    Raises InvitationError.
    """
    invitation = _claim(token)
    if not user.is_active or user.email.lower() != invitation.email.lower():
        raise InvitationError
    if invitation.partner is None and not user.is_staff:
        user.is_staff = True
        user.save(update_fields=["is_staff"])
    _enter(invitation, user, request)
    return user


@transaction.atomic
def enter_invited(partner: Partner, user: User, *, request: HttpRequest | None = None) -> None:
    """Use the open invitation of the login's own address to the partner, without its link: the
    partner's own provider vouches for the address. Raises InvitationError."""
    _enter(_use_up(_open(partner=partner, email__iexact=user.email)), user, request)


def _claim(token: str) -> Invitation:
    return _use_up(open_invitation(token))


def _use_up(invitation: Invitation | None) -> Invitation:
    """Once, whoever else holds the link."""
    if invitation is None:
        raise InvitationError
    claimed = Invitation.objects.filter(
        pk=invitation.pk, accepted_at__isnull=True, expires_at__gt=Now()
    ).update(accepted_at=Now())
    if claimed != 1:
        raise InvitationError
    return invitation


def _enter(invitation: Invitation, user: User, request: HttpRequest | None) -> None:
    if invitation.partner is not None:
        # one who is a member already keeps the role that staff gave
        Membership.objects.get_or_create(
            user=user,
            partner=invitation.partner,
            defaults={
                "role": invitation.role,
                "limit_titles": invitation.limit_titles,
                "limit_families": invitation.limit_families,
            },
        )
    record(
        "invitation.accepted",
        actor=user,
        partner=invitation.partner,
        target=invitation.email,
        request=request,
        role=invitation.role,
    )


def _send(invitation: Invitation, token: str) -> None:
    with translation.override(invitation.language):
        context = {
            "PORTAL_NAME": settings.PORTAL_NAME,
            "partner": invitation.partner,
            "by": invitation.made_by,
            "expires_at": invitation.expires_at,
            "url": settings.BASE_URL + reverse("invitation", args=[token]),
        }
        subject = render_to_string("partners/invitation_subject.txt", context)
        message = EmailMessage(
            subject=" ".join(subject.split()),
            body=render_to_string("partners/invitation_message.txt", context),
            to=[invitation.email],
        )
    message.send()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
