"""A partner's team, kept by its owners: who is in, with which role and limit, and who is asked in.

Nothing here reaches beyond the own partner: whether an address has a login elsewhere changes
neither an answer nor a mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from engagement.families.registry import FAMILIES
from engagement.scope import Refused
from partners import credentials, invitations
from partners.audit import record
from partners.models import Credential, Invitation, Membership, User, with_people

MOST_INVITED = 50
"""Open invitations of one partner: the portal's mails are not to be had for the asking."""


class NotValid(Exception):
    """A change of the team that cannot be, in words for the owner. `field` names the culprit."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True)
class Place:
    """What a member may be: a role, and a limit that only narrows; None does not narrow."""

    role: str
    titles: tuple[int, ...] | None = None
    families: tuple[str, ...] | None = None


def may_manage(membership: Membership) -> bool:
    """Whether the member's role looks after the team."""
    return membership.role == Membership.Role.OWNER


def members_of(owner: Membership) -> QuerySet[Membership]:
    """Everyone of the partner. Raises Refused for whom it is not open to."""
    if not may_manage(owner):
        raise Refused
    found = Membership.objects.filter(partner_id=owner.partner_id)
    return with_people(found, "user").select_related("partner").order_by("user__email")


def member_for(owner: Membership, member_id: UUID) -> Membership:
    """One of `members_of`, by its id. Raises Refused for any other."""
    member = members_of(owner).filter(pk=member_id).first()
    if member is None:
        raise Refused
    return member


def invitations_of(owner: Membership) -> QuerySet[Invitation]:
    """Who has been asked in and has not come, with `expired`. Raises Refused."""
    if not may_manage(owner):
        raise Refused
    expired = ExpressionWrapper(Q(expires_at__lte=Now()), output_field=BooleanField())
    waiting = Invitation.objects.filter(partner_id=owner.partner_id, accepted_at__isnull=True)
    return with_people(waiting, "made_by").annotate(expired=expired)


@transaction.atomic
def invite(
    *, owner: Membership, email: str, place: Place, language: str, request: HttpRequest | None
) -> Invitation:
    """Ask somebody in. Raises Refused, NotValid, and OSError where the mail cannot be sent."""
    if invitations_of(owner).exclude(email=email.strip().lower()).count() >= MOST_INVITED:
        raise NotValid("email", _("Too many invitations wait already: withdraw some."))
    _check(owner, place)
    try:
        return invitations.invite(
            email=email,
            partner=owner.partner,
            role=place.role,
            language=language,
            by=owner.user,
            request=request,
            limit_titles=place.titles,
            limit_families=place.families,
        )
    except invitations.InvitationError as error:
        raise NotValid("email", str(error)) from None


@transaction.atomic
def ask_again(*, owner: Membership, email: str, request: HttpRequest | None) -> Invitation:
    """The same invitation with a new link, which ends the old one. Raises as `invite` does."""
    waiting = _waiting(owner, email)
    return invite(
        owner=owner,
        email=waiting.email,
        place=Place(waiting.role, _tuple(waiting.limit_titles), _tuple(waiting.limit_families)),
        language=waiting.language,
        request=request,
    )


@transaction.atomic
def withdraw(*, owner: Membership, email: str, request: HttpRequest | None) -> None:
    """End an invitation: its link opens nothing any more. Raises Refused."""
    waiting = _waiting(owner, email)
    record(
        "invitation.removed",
        actor=owner.user,
        partner=owner.partner,
        target=waiting.email,
        request=request,
    )
    waiting.delete()


@transaction.atomic
def change(
    *, owner: Membership, member_id: UUID, place: Place, request: HttpRequest | None
) -> Membership:
    """Another role or limit, from the member's next request on. They are told by mail.

    Raises Refused, NotValid (the last owner stays one; nobody gives more than they have).
    """
    member = _locked(owner, member_id)
    before = place_of(member)
    if place == before:
        return member
    _check(owner, place, before)
    if place.role != Membership.Role.OWNER:
        _keep_an_owner(member, "role")
    member.role = place.role
    member.limit_titles = None if place.titles is None else list(place.titles)
    member.limit_families = None if place.families is None else list(place.families)
    member.save(update_fields=["role", "limit_titles", "limit_families"])
    record(
        "membership.changed",
        actor=owner.user,
        partner=owner.partner,
        target=member.user.email,
        request=request,
        before=_told(before),
        after=_told(place),
    )
    _tell(member.user, "changed", owner, member)
    return member


@transaction.atomic
def remove(*, owner: Membership, member_id: UUID, request: HttpRequest | None) -> User:
    """Take somebody out: what is theirs in this partner ends with the next request.

    Their place, credentials and bundles; elsewhere they stay what they are. Schedules are
    reports/schedules.py's, `hand_over`. Raises Refused, NotValid for the last owner.
    """
    member = _locked(owner, member_id)
    _keep_an_owner(member, "")
    for credential in credentials.live(Credential.objects.filter(maker=member)):
        credentials.revoke(credential, by=owner.user, request=request)
    record(
        "membership.removed",
        actor=owner.user,
        partner=owner.partner,
        target=member.user.email,
        request=request,
        role=member.role,
    )
    _tell(member.user, "removed", owner, member)
    member.delete()
    return member.user


def heir_of(owner: Membership, leaver: Membership) -> Membership:
    """Which owner takes over what a leaver has set up: who removes them, else another owner.

    Raises NotValid where there is none.
    """
    if leaver.pk != owner.pk:
        return owner
    others = with_people(_owners(owner), "user").select_related("partner")
    other = others.exclude(pk=leaver.pk).first()
    if other is None:
        raise _last_owner("")
    return other


def next_in_line(leaver: Membership) -> Membership | None:
    """Who takes over from one whom staff remove: an owner, else who comes nearest to one.

    None where nobody of the partner is left.
    """
    roles = [Membership.Role.OWNER, Membership.Role.ANALYST, Membership.Role.VIEWER]
    left = Membership.objects.filter(partner_id=leaver.partner_id).exclude(pk=leaver.pk)
    found = list(left.select_related("user", "partner").order_by("pk"))
    return min(
        found,
        key=lambda m: (not m.user.is_active, roles.index(Membership.Role(m.role))),
        default=None,
    )


def _locked(owner: Membership, member_id: UUID) -> Membership:
    """The member, with all owners' places locked: two owners cannot each remove the other."""
    owners = {m.pk: m for m in _owners(owner).select_for_update(of=("self",))}
    if owner.pk not in owners:
        raise Refused  # was removed or demoted while waiting
    return member_for(owners[owner.pk], member_id)


def _owners(owner: Membership) -> QuerySet[Membership]:
    """The partner's owners who can sign in."""
    return Membership.objects.filter(
        partner_id=owner.partner_id, role=Membership.Role.OWNER, user__is_active=True
    ).order_by("pk")


def _keep_an_owner(member: Membership, field: str) -> None:
    if member.role == Membership.Role.OWNER and not _owners(member).exclude(pk=member.pk).exists():
        raise _last_owner(field)


def _last_owner(field: str) -> NotValid:
    return NotValid(field, _("A partner keeps one owner at least: make somebody else one first."))


def _waiting(owner: Membership, email: str) -> Invitation:
    found = invitations_of(owner).filter(email=email.strip().lower()).first()
    if found is None:
        raise Refused
    return found


def _check(owner: Membership, place: Place, before: Place | None = None) -> None:
    """Nobody hands out more than they have themselves; what was there before may stay."""
    if place.role not in Membership.Role.values:
        raise NotValid("role", _("Choose a role."))
    if place.families is not None and not set(place.families) <= set(FAMILIES):
        raise NotValid("families", _("Choose from the data that you may read yourself."))
    for field, own, given in (
        ("titles", owner.limit_titles, place.titles),
        ("families", owner.limit_families, place.families),
    ):
        had: tuple[Any, ...] | None = () if before is None else getattr(before, field)
        if own is not None and _opens(given, had, beyond=own):
            raise NotValid(field, _("You cannot give more than you may read yourself."))


def _opens(
    given: tuple[Any, ...] | None, had: tuple[Any, ...] | None, *, beyond: Sequence[Any]
) -> bool:
    """Whether a limit opens something that the one before did not, and that is not in `beyond`."""
    if had is None:
        return False
    return given is None or not set(given) - set(had) <= set(beyond)


def place_of(member: Membership) -> Place:
    return Place(member.role, _tuple(member.limit_titles), _tuple(member.limit_families))


def _tuple(limit: Sequence[int] | Sequence[str] | None) -> tuple[Any, ...] | None:
    return None if limit is None else tuple(limit)


def _told(place: Place) -> dict[str, Any]:
    return {"role": place.role, "titles": place.titles, "families": place.families}


def tell_owners_of_schedules(owner: Membership, leaver: str, names: Iterable[str]) -> None:
    """Which schedules stand still since their owner left."""
    for other in with_people(_owners(owner), "user"):
        _send(other.user, "schedules", owner, leaver=leaver, schedules=list(names))


def _tell(user: User, what: str, owner: Membership, member: Membership) -> None:
    _send(user, what, owner, role=Membership.Role(member.role))


def _send(user: User, what: str, owner: Membership, **more: object) -> None:
    with translation.override(user.language):
        context = {
            "PORTAL_NAME": settings.PORTAL_NAME,
            "what": what,
            "partner": owner.partner.name,
            "by": owner.user.get_full_name(),
            "url": settings.BASE_URL,
            **more,
        }
        subject = render_to_string("partners/membership_subject.txt", context)
        message = EmailMessage(
            subject=" ".join(subject.split()),
            body=render_to_string("partners/membership_message.txt", context),
            to=[user.email],
        )
    message.send()
