"""The links of a report's mail: to the bundle for seven days, and out of a schedule.

Both are signed by the portal's secret and stand on BASE_URL alone: a worker has no request, and a
request's Host may be a stranger's. The first opens nothing: it leads to the bundle's page, which
asks for sign-in and looks at the grants. The second needs no sign-in (RFC 8058) and does one
thing: it takes one member off one schedule.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core import signing

from reports.models import Bundle

WORKS_FOR = timedelta(days=7)

_BUNDLE = signing.TimestampSigner(salt="reports.links.bundle", sep=".")
_LEAVING = signing.Signer(salt="reports.links.leaving", sep=".")


class NotOurs(Exception):
    """A link that the portal has not made."""


@dataclass(frozen=True)
class Followed:
    """Where a mail's link leads: the bundle's page, or the inbox once the link has ended."""

    bundle: str
    inbox: str
    ended: bool


@dataclass(frozen=True)
class Leaving:
    """Who is taken off what."""

    partner: UUID
    schedule: UUID
    member: UUID


def to_bundle(bundle: Bundle) -> str:
    """The address that a mail names; from now on it works for seven days."""
    return f"{settings.BASE_URL}/mail/report/{_BUNDLE.sign(f'{bundle.partner.slug}.{bundle.pk}')}/"


def follow(token: str) -> Followed:
    """What `to_bundle` put into an address. Raises NotOurs."""
    ended = False
    try:
        try:
            said = _BUNDLE.unsign(token, max_age=WORKS_FOR)
        except signing.SignatureExpired:
            said, ended = _BUNDLE.unsign(token), True
    except signing.BadSignature:
        raise NotOurs from None
    slug, bundle_id = said.split(".")
    inbox = f"/p/{slug}/reports/"
    return Followed(f"{inbox}{bundle_id}/", inbox, ended)


def out_of(leaving: Leaving) -> str:
    """The address that takes a member off a schedule. It does not end."""
    ids = leaving.partner.bytes + leaving.schedule.bytes + leaving.member.bytes
    token = _LEAVING.sign(base64.urlsafe_b64encode(ids).decode())
    return f"{settings.BASE_URL}/mail/leave/{token}/"


def leaving_by(token: str) -> Leaving:
    """What `out_of` put into an address. Raises NotOurs."""
    try:
        ids = base64.urlsafe_b64decode(_LEAVING.unsign(token))
        partner, schedule, member = (UUID(bytes=ids[n : n + 16]) for n in (0, 16, 32))
    except (signing.BadSignature, binascii.Error, ValueError):
        raise NotOurs from None
    return Leaving(partner, schedule, member)
