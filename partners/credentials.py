"""Credentials: made, replaced and revoked by a partner's owners, and looked up when used.

A token reads `dly_<8 of id>_<32 secret>_<6 checksum>`. A mistyped one is known by its checksum
before anything is looked up. What a token opens is worked out by partners/access.py at each use.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
import string
import zlib
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import BooleanField, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.functions import Least, Now
from django.http import HttpRequest
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from engagement.families.registry import FAMILIES
from engagement.roles import WEB, acting_as
from engagement.scope import Refused
from partners.audit import record
from partners.models import Credential, Membership, User, with_people

LASTS = timedelta(days=90)
GRACE = timedelta(hours=24)
MOST_LIVE = 20
"""Live credentials of one partner: more are a sign of tokens that nobody looks after."""
MOST_NETWORKS = 20
USE_IS_KEPT_EVERY = timedelta(minutes=1)
"""A program that asks ten times a second does not write ten times a second."""

_ALPHABET = string.digits + string.ascii_letters
_TOKEN = re.compile(r"(dly_[0-9A-Za-z]{8}_[0-9A-Za-z]{32})_([0-9A-Za-z]{6})", re.ASCII)
_STALE = Q(last_used_at__isnull=True) | Q(last_used_at__lt=Now() - Value(USE_IS_KEPT_EVERY))
_LOOKED_FOR = "SELECT set_config('dailies.credential_sha256', %s, true)"

STATES = {
    "revoked": _("revoked"),
    "expired": _("expired"),
    "partner suspended": _("partner suspended"),
    "maker left": _("its maker left"),
    "maker disabled": _("its maker is disabled"),
    "maker is no owner": _("its maker is no owner"),
}
"""Why a credential opens nothing, as owners and staff read it."""


class NotValid(Exception):
    """A credential that cannot be, in words for whoever asked. `field` names the culprit."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class BadToken(Exception):
    """A token that opens nothing. `reason` is one word, for the log and the audit trail alone."""

    def __init__(self, reason: str, credential: Credential | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.credential = credential


# --- what a token looks like -------------------------------------------------------------------


def new_token() -> str:
    """A token that nobody has; its secret has 190 bits."""
    body = f"dly_{_random(8)}_{_random(32)}"
    return f"{body}_{_checksum(body)}"


def is_well_formed(token: str) -> bool:
    """Whether it could be one of ours: a slip of the hand is found here."""
    parts = _TOKEN.fullmatch(token)
    return parts is not None and secrets.compare_digest(parts[2], _checksum(parts[1]))


def looks_like_a_token(text: str) -> bool:
    """Whether a text holds something that may be a token, a mistyped one included."""
    return re.search(r"dly_[0-9A-Za-z]{4}", text) is not None


def _random(characters: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(characters))


def _checksum(body: str) -> str:
    """CRC-32 in six digits of base 62."""
    number, digits = zlib.crc32(body.encode()), ""
    while len(digits) < 6:
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


# --- when it is used ---------------------------------------------------------------------------


def look_up(token: str, *, address: str | None) -> Credential:
    """The credential of a token that may be used now from `address`, with its maker and partner.

    Runs as the web's own role, to which Postgres shows the one row whose hash it knows. The
    maker's `credential` is set: a scope made for that member is the credential's. Raises BadToken.
    """
    if not is_well_formed(token):
        raise BadToken("malformed")
    _name(_hash(token))
    credential = with_state(Credential.objects.filter(token_sha256=_hash(token))).first()
    if credential is None:
        raise BadToken("unknown")
    reason = state_of(credential)
    if reason:
        raise BadToken(reason, credential)
    if not _is_from(credential.networks, address):
        raise BadToken("network", credential)
    assert credential.maker is not None
    credential.maker.credential = credential
    return credential


def keep_use(credential: Credential) -> None:
    """Write down that it was used, once a minute, in a transaction of its own.

    Not in the request's: that would hold up who revokes it until the request is done.
    """
    if not credential.use_is_stale:  # type: ignore[attr-defined]
        return
    with acting_as(WEB):
        _name(credential.token_sha256)
        Credential.objects.filter(_STALE, pk=credential.pk).update(last_used_at=Now())


def _name(token_sha256: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_LOOKED_FOR, [token_sha256])


def with_state(credentials: QuerySet[Credential]) -> QuerySet[Credential]:
    """With maker and partner, and what the database's clock says of it."""
    expired = ExpressionWrapper(Q(expires_at__lte=Now()), output_field=BooleanField())
    stale = ExpressionWrapper(_STALE, output_field=BooleanField())
    return credentials.select_related("partner", "maker__user", "maker__partner").annotate(
        expired=expired, use_is_stale=stale
    )


def state_of(credential: Credential) -> str:
    """The first reason for which it opens nothing, in few words; empty where it is open.

    `credential` comes from `with_state`.
    """
    maker = credential.maker
    if credential.revoked_at is not None:
        return "revoked"
    if credential.expired:  # type: ignore[attr-defined]
        return "expired"
    if credential.partner.suspended_at is not None:
        return "partner suspended"
    if maker is None or maker.partner_id != credential.partner_id:
        return "maker left"
    if not maker.user.is_active:
        return "maker disabled"
    if not may_manage(maker):
        return "maker is no owner"
    return ""


def _is_from(networks: Sequence[str], address: str | None) -> bool:
    if not networks:
        return True
    try:
        at = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    at = getattr(at, "ipv4_mapped", None) or at
    return any(at in ipaddress.ip_network(network) for network in networks)


# --- who looks after them ----------------------------------------------------------------------


def may_manage(membership: Membership) -> bool:
    """Whether the member's role has credentials."""
    return membership.role == Membership.Role.OWNER


def credentials_of(membership: Membership) -> QuerySet[Credential]:
    """The partner's credentials, the newest first, with `expired`. Raises Refused."""
    if not may_manage(membership):
        raise Refused
    own = with_state(Credential.objects.filter(partner_id=membership.partner_id))
    return with_people(own, "maker__user", "made_by", "revoked_by").select_related(
        "partner", "replaced_by"
    )


def still_opens(credential: Credential) -> bool:
    """Whether a credential that was looked up a while ago is open now, read afresh."""
    rows = with_people(Credential.objects.filter(pk=credential.pk), "maker__user")
    now = with_state(rows).first()
    return now is not None and not state_of(now)


def live(credentials: QuerySet[Credential]) -> QuerySet[Credential]:
    """Those that are neither revoked nor over, and whose maker is still there."""
    return credentials.filter(revoked_at__isnull=True, expires_at__gt=Now(), maker__isnull=False)


@transaction.atomic
def make(
    *,
    membership: Membership,
    name: str,
    exits: Sequence[str],
    families: Sequence[str] | None,
    networks: Sequence[str],
    lasts: timedelta = LASTS,
    request: HttpRequest | None = None,
) -> tuple[Credential, str]:
    """A new credential of an owner and its token, which is never to be had again.

    `families` None is all that the maker may read at the time. Raises Refused for whom it is
    not open to, NotValid for the rest.
    """
    if not may_manage(membership):
        raise Refused
    if live(credentials_of(membership)).count() >= MOST_LIVE:
        raise NotValid("", _t("There are %d credentials already: revoke one.") % MOST_LIVE)
    return _make(
        membership,
        request,
        name=_checked_name(name),
        exits=_checked_exits(exits),
        families=_checked_families(families, membership),
        networks=_checked_networks(networks),
        lasts=_checked_time(lasts),
    )


@transaction.atomic
def rotate(
    *,
    membership: Membership,
    credential_id: UUID,
    grace: timedelta = GRACE,
    lasts: timedelta = LASTS,
    request: HttpRequest | None = None,
) -> tuple[Credential, str]:
    """A new token that opens the same, and the end of the old one after `grace`.

    The old one ends earlier than it would have, never later. Its maker alone may: in other
    hands it would open what those may read. Raises Refused, NotValid.
    """
    old = credential_for(membership, credential_id, locked=True)
    if old.maker_id != membership.pk or not live(Credential.objects.filter(pk=old.pk)).exists():
        raise Refused
    if Credential.objects.filter(replaces=old).exists():
        raise NotValid("grace", _t("It has been replaced already."))
    if grace < timedelta(0):
        raise NotValid("grace", _t("The old token cannot end in the past."))
    Credential.objects.filter(pk=old.pk).update(
        expires_at=Least(F("expires_at"), Now() + Value(grace))
    )
    old.refresh_from_db(fields=["expires_at"])
    credential, token = _make(
        membership,
        request,
        name=old.name,
        exits=old.exits,
        families=old.families,
        networks=old.networks,
        lasts=_checked_time(lasts),
        replaces=old,
    )
    return credential, token


@transaction.atomic
def revoke(credential: Credential, *, by: User, request: HttpRequest | None = None) -> bool:
    """End it at once. False where that has been done."""
    rows = Credential.objects.filter(pk=credential.pk, revoked_at__isnull=True)
    changed = rows.update(revoked_at=Now(), revoked_by=by) == 1
    if changed:
        record(
            "credential.revoked",
            actor=by,
            partner=credential.partner,
            target=credential,
            request=request,
        )
    return changed


def credential_for(
    membership: Membership, credential_id: UUID, *, locked: bool = False
) -> Credential:
    """One of `credentials_of`, by its id. Raises Refused for any other."""
    found = credentials_of(membership).filter(pk=credential_id)
    if locked:
        found = found.select_for_update(of=("self",))
    credential = found.first()
    if credential is None:
        raise Refused
    return credential


def _make(
    membership: Membership,
    request: HttpRequest | None,
    *,
    name: str,
    exits: list[str],
    families: list[str] | None,
    networks: list[str],
    lasts: timedelta,
    replaces: Credential | None = None,
) -> tuple[Credential, str]:
    token = new_token()
    credential = Credential.objects.create(
        partner_id=membership.partner_id,
        maker=membership,
        made_by=membership.user,
        name=name,
        prefix=token[:12],
        token_sha256=_hash(token),
        exits=exits,
        families=families,
        networks=networks,
        expires_at=Now() + Value(lasts),
        replaces=replaces,
    )
    credential.refresh_from_db()
    record(
        "credential.rotated" if replaces else "credential.made",
        actor=membership.user,
        partner=membership.partner,
        target=credential,
        request=request,
        exits=exits,
        families=families,
        networks=networks,
        expires_at=credential.expires_at.isoformat(),
        **({"old": str(replaces), "old_ends": replaces.expires_at.isoformat()} if replaces else {}),
    )
    return credential, token


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > 80:
        raise NotValid("name", _t("Give it a name of at most 80 characters."))
    return name


def _checked_exits(exits: Sequence[str]) -> list[str]:
    if "api" not in exits or not set(exits) <= {"api", "export"}:
        raise NotValid("exits", _t("A credential reads the API, and files if you say so."))
    return sorted(set(exits))


def _checked_families(families: Sequence[str] | None, membership: Membership) -> list[str] | None:
    if families is None:
        return None
    own = FAMILIES if membership.limit_families is None else membership.limit_families
    if not families or not set(families) <= set(FAMILIES) & set(own):
        raise NotValid("families", _t("Choose from the data that you may read yourself."))
    return [family for family in FAMILIES if family in families]


def _checked_networks(networks: Sequence[str]) -> list[str]:
    if len(networks) > MOST_NETWORKS:
        raise NotValid("networks", _t("At most %d networks.") % MOST_NETWORKS)
    try:
        return sorted({str(ipaddress.ip_network(network)) for network in networks})
    except ValueError as error:
        raise NotValid(
            "networks", _t("Not an address or network: %(why)s") % {"why": error}
        ) from None


def _checked_time(lasts: timedelta) -> timedelta:
    if not timedelta(days=1) <= lasts <= Credential.LONGEST:
        raise NotValid("days", _t("It lasts between a day and a year."))
    return lasts
