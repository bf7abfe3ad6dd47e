"""Staff look at a partner's pages as the partner does: half an hour, for a reason, reading only.

A view opens the pages (`web`) of what the partner, or one of its members, is granted, and
nothing that writes, exports or shows a secret; each page is recorded. access.py asks here
whether a view is still open.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.translation import gettext as _

from partners.audit import record
from partners.models import Membership, Partner, StaffView, User, with_people


class StaffViewError(Exception):
    """A view that may not begin, in words for the person who tried it."""


@transaction.atomic
def start(
    partner: Partner,
    *,
    member: Membership | None,
    reason: str,
    by: User,
    request: HttpRequest | None = None,
) -> StaffView:
    """Begin to look as the partner, or as one of its members; what was begun before ends.

    Raises StaffViewError without a reason, for another partner's member, for one who is no
    staff or may not, and while the partner is suspended.
    """
    if not may_view(by, partner):
        raise StaffViewError(_("You may not view as a partner."))
    if not reason.strip():
        raise StaffViewError(_("Say why you look: it is recorded, and the partner reads it."))
    if partner.suspended_at is not None:
        raise StaffViewError(_("The partner is suspended."))
    if member is not None and member.partner_id != partner.pk:
        raise StaffViewError(_("This person is no member of the partner."))
    for old in open_views().filter(staff=by):
        end(old, by=by, request=request)
    view = StaffView.objects.create(
        partner=partner,
        seen_as=member.user if member else None,
        staff=by,
        reason=reason.strip()[:300],
    )
    record(
        "staff_view.started",
        actor=by,
        partner=partner,
        target=view.pk,
        request=request,
        reason=view.reason,
        member=str(member.user_id) if member else None,
    )
    return view


@transaction.atomic
def end(view: StaffView, *, by: User, request: HttpRequest | None = None) -> None:
    """Stop looking. Ending an ended view does nothing."""
    ended = StaffView.objects.filter(pk=view.pk, ended_at__isnull=True).update(ended_at=Now())
    if ended:
        record("staff_view.ended", actor=by, partner=view.partner, target=view.pk, request=request)


def open_views() -> QuerySet[StaffView]:
    """Those that are not over, by the database's clock, of people and partners still in order."""
    members = Membership.objects.filter(
        user=OuterRef("seen_as"), partner=OuterRef("partner"), user__is_active=True
    )
    found = StaffView.objects.filter(
        Q(seen_as__isnull=True) | Exists(members),
        ended_at__isnull=True,
        ends_at__gt=Now(),
        staff__is_active=True,
        staff__is_staff=True,
        partner__suspended_at__isnull=True,
    )
    return with_people(found, "seen_as", "staff").select_related("partner")


def view_of(user: User, partner_slug: str) -> StaffView | None:
    """The view by which one of the staff looks now: it ends with the right to begin one."""
    view = open_views().filter(staff=user, partner__slug=partner_slug).first()
    return view if view is not None and may_view(user, view.partner) else None


def may_view(user: User, partner: Partner) -> bool:
    """Whether one of the staff may look as this partner: by role, and by the limit of theirs."""
    if not (user.is_staff and user.is_active and user.has_perm("partners.add_staffview")):
        return False
    return user.limit_partners is None or partner.pk in user.limit_partners


def as_membership(view: StaffView) -> Membership:
    """A place in the partner that is in no table: a viewer's, with the member's limit."""
    place = Membership(user=view.staff, partner=view.partner, role=Membership.Role.VIEWER)
    if view.seen_as_id is not None:
        member = Membership.objects.get(user=view.seen_as_id, partner=view.partner_id)
        place.limit_titles, place.limit_families = member.limit_titles, member.limit_families
    place.staff_view = view
    return place
