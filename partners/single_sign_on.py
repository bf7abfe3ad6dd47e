"""Single sign-on of partner organisations: whom a provider may sign in, and what that opens.

A provider speaks for one partner. It signs in people whose address lies in a domain that the
partner claimed and staff verified, and who are members of that partner or invited to it; what
opens is that partner and no other, because whoever runs the provider can be any of its users.
The protocol is in portal/web/oidc.py.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from allauth.account.models import EmailAddress
from cryptography.fernet import InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from partners import sealed
from partners.audit import record
from partners.invitations import InvitationError, enter_invited
from partners.models import (
    ClaimedDomain,
    ExternalIdentity,
    IdentityProvider,
    Membership,
    Partner,
    User,
)

PASSWORD = "password"
"""Among the ways of a session: its holder showed a password or a passkey of the portal's."""


class SignOnRefused(Exception):
    """The provider's user gets no session. The reason is for the audit trail, not for the page."""


class DomainNotVerified(Exception):
    """In words for the person who tried to verify it."""


def provider_at(id: uuid.UUID) -> IdentityProvider | None:
    """The provider of a sign-in address, while its partner may be entered at all."""
    return (
        IdentityProvider.objects.select_related("partner")
        .filter(pk=id, enabled=True, partner__suspended_at__isnull=True)
        .first()
    )


def sign_in_address(provider: IdentityProvider) -> str:
    """Where the partner's members sign in: theirs to know, and to keep."""
    return str(settings.BASE_URL) + reverse("single_sign_on", args=[provider.pk])


def answer_address(provider: IdentityProvider) -> str:
    """The redirect URI to enter at the provider: each provider has one, and none answers for
    another."""
    return str(settings.BASE_URL) + reverse("single_sign_on_back", args=[provider.pk])


def provider_of_address(email: str) -> IdentityProvider | None:
    """The provider that signs in somebody at this address; None for any other address."""
    claimed = ClaimedDomain.objects.filter(domain=_domain(email), verified_at__isnull=False)
    return (
        IdentityProvider.objects.select_related("partner")
        .filter(
            partner__in=claimed.values("partner"),
            partner__suspended_at__isnull=True,
            enabled=True,
        )
        .first()
    )


@transaction.atomic
def person_for(
    provider: IdentityProvider, claims: Mapping[str, Any], request: HttpRequest | None = None
) -> User:
    """The login that a verified id token stands for; bound to the token's subject on first sight.

    `claims` have passed portal/web/oidc.py. An invited person without a login gets one, which
    no password opens. Raises SignOnRefused.
    """
    subject = str(claims["sub"])
    bound = (
        ExternalIdentity.objects.select_related("user")
        .filter(provider=provider, subject=subject)
        .first()
    )
    user = bound.user if bound else _bind(provider, subject, claims, request)
    if not user.is_active or user.is_staff:
        raise SignOnRefused("the login is disabled or platform staff")
    if not Membership.objects.filter(user=user, partner=provider.partner).exists():
        raise SignOnRefused("the login is not a member of the partner")
    return user


def opens(ways: Collection[str], partner: Partner) -> bool:
    """Whether a session opens a partner's URLs. `ways` are the ids of the providers that signed
    it in, and PASSWORD.

    `partner` has its `identity_provider` selected, where it has one.
    """
    provider: IdentityProvider | None = getattr(partner, "identity_provider", None)
    if provider is not None and provider.enabled and str(provider.pk) in ways:
        return True
    enforced = provider is not None and provider.enforced
    return PASSWORD in ways and not enforced


def password_is_closed(user: User) -> bool:
    """Whether no password opens anything: every partner of the login enforces single sign-on."""
    if user.is_staff:
        return False
    memberships = Membership.objects.filter(user=user)
    enforced = Q(partner__identity_provider__enforced=True)
    return memberships.filter(enforced).exists() and not memberships.exclude(enforced).exists()


def provider_of(user: User) -> IdentityProvider | None:
    """A provider that may sign the login in; of several, the first by partner."""
    return IdentityProvider.objects.filter(
        partner__memberships__user=user, partner__suspended_at__isnull=True, enabled=True
    ).first()


def may_change_sign_in(ways: Collection[str], user: User) -> bool:
    """Whether a session may change passwords and second factors.

    One that came through a provider alone may not where the login opens more than that provider's
    partner: whoever runs the provider would give himself a way into the others.
    """
    if PASSWORD in ways:
        return True
    others = Membership.objects.filter(user=user).exclude(
        partner__identity_provider__in=[uuid.UUID(way) for way in ways]
    )
    return not others.exists()


@transaction.atomic
def verify_domain(
    claimed: ClaimedDomain, *, evidence: str, by: User, request: HttpRequest | None = None
) -> None:
    """Let the partner's provider speak for the domain. Raises DomainNotVerified."""
    if claimed.claimed_by_id == by.pk:
        raise DomainNotVerified(_("You entered this claim: somebody else verifies it."))
    changed = ClaimedDomain.objects.filter(pk=claimed.pk, verified_at__isnull=True).update(
        verified_by=by, verified_at=Now(), evidence=evidence
    )
    if not changed:
        raise DomainNotVerified(_("The domain is verified already."))
    record(
        "claimed_domain.verified",
        actor=by,
        partner=claimed.partner,
        target=claimed.domain,
        request=request,
        evidence=evidence,
    )


# -- the client's secret ----------------------------------------------------------------------


def keep_secret(provider: IdentityProvider, secret: str) -> None:
    """Encrypt the client's secret into the row. The caller saves it."""
    provider.client_secret_encrypted = _box().encrypt(secret.encode()).decode()


def secret_of(provider: IdentityProvider) -> str:
    """The client's secret; raises SignOnRefused where SECRET_KEY was changed since it was set."""
    try:
        return _box().decrypt(provider.client_secret_encrypted.encode()).decode()
    except InvalidToken:
        raise SignOnRefused("the client secret cannot be decrypted: enter it again") from None


def _box() -> MultiFernet:
    return sealed.box(b"dailies single sign-on client secret")


# -- the first sign-in --------------------------------------------------------------------------


def _bind(
    provider: IdentityProvider,
    subject: str,
    claims: Mapping[str, Any],
    request: HttpRequest | None,
) -> User:
    """By its verified address in a verified domain of the partner, once.

    A login that is bound to another subject of the provider stays so: an address that was given
    to somebody new does not give them the old one's login.
    """
    email = str(claims.get("email", "")).strip().lower()
    if claims.get("email_verified") is not True:
        raise SignOnRefused("the provider does not say that the address is verified")
    own = ClaimedDomain.objects.filter(
        partner=provider.partner, domain=_domain(email), verified_at__isnull=False
    )
    if not own.exists():
        raise SignOnRefused("the address is in no verified domain of the partner")
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        user = _made(provider, email, claims, request)
    elif not user.is_active or user.is_staff:
        raise SignOnRefused("the login is disabled or platform staff")
    elif not Membership.objects.filter(user=user, partner=provider.partner).exists():
        _enter(provider, user, request)
    if ExternalIdentity.objects.filter(provider=provider, user=user).exists():
        raise SignOnRefused("the login is bound to another subject")
    ExternalIdentity.objects.create(provider=provider, subject=subject, user=user)
    record(
        "single_sign_on.bound",
        actor=user,
        partner=provider.partner,
        target=user.email,
        request=request,
        issuer=provider.issuer,
    )
    return user


def _made(
    provider: IdentityProvider,
    email: str,
    claims: Mapping[str, Any],
    request: HttpRequest | None,
) -> User:
    user = User.objects.create_user(email, None, name=str(claims.get("name", ""))[:150])
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    _enter(provider, user, request)
    return user


def _enter(provider: IdentityProvider, user: User, request: HttpRequest | None) -> None:
    try:
        enter_invited(provider.partner, user, request=request)
    except InvitationError:
        raise SignOnRefused("the address is neither a member's nor invited") from None


def _domain(email: str) -> str:
    return email.rpartition("@")[2].lower()
