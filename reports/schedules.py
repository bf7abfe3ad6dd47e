"""Setting up schedules: who may make, change, pause, start, hand over and delete which.

When their reports are due is cadence.py's, that each is made once runs.py's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Required, TypedDict, Unpack
from uuid import UUID
from zoneinfo import available_timezones

from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from engagement.scope import Refused
from partners.access import scope_for
from partners.audit import record
from partners.models import Membership, User, with_people
from reports.cadence import due_at, next_due
from reports.models import FORMATS, PAPERS, REPORT_LANGUAGES, Bundle, Run, Schedule
from reports.plan import EXIT, ORDERING
from reports.render import wording
from reports.runs import database_now, run_now

MOST_RECIPIENTS = 50
MOST_HOURS = 240
"""Of a deadline: ten days."""


class NotValid(Exception):
    """A schedule that cannot be, in words for whoever wrote it. `field` names the culprit."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def may_own(membership: Membership) -> bool:
    """Whether the member's role has schedules of its own."""
    return membership.role in ORDERING


def schedules_of(membership: Membership) -> QuerySet[Schedule]:
    """The schedules that the member may change: own ones; an owner's, all of the partner.

    With their owners and recipients.
    """
    people = with_people(Membership.objects.all(), "user")
    found = with_people(
        Schedule.objects.filter(partner_id=membership.partner_id), "owner__user"
    ).prefetch_related(Prefetch("recipients", people))
    if membership.role == Membership.Role.OWNER:
        return found
    if membership.role == Membership.Role.ANALYST:
        return found.filter(owner=membership)
    return found.none()


def schedule_for(membership: Membership, schedule_id: UUID) -> Schedule:
    """One of `schedules_of`, by its id. Raises Refused for any other."""
    schedule = schedules_of(membership).filter(pk=schedule_id).first()
    if schedule is None:
        raise Refused
    return schedule


class Wish(TypedDict, total=False):
    """What a schedule is to be. `recipients` are ids of memberships of the partner, `titles` None
    is all that each recipient may see.
    """

    name: Required[str]
    titles: Required[Sequence[int] | None]
    recipients: Required[Sequence[UUID]]
    cadence: str
    weekday: int
    monthday: int
    hour: Required[int]
    zone: Required[str]
    language: Required[str]
    formats: Sequence[str]
    paper: str
    deadline_hours: int
    skip_unchanged: bool


def often(schedule: Schedule, language: str) -> str:
    """How often its reports come, in words, but for the hour."""
    if schedule.cadence == Schedule.Cadence.WEEKLY:
        return str(wording.locale_of(language).days["format"]["wide"][schedule.weekday])
    if schedule.cadence == Schedule.Cadence.MONTHLY:
        return _("on day %(n)s of the month") % {"n": schedule.monthday}
    return str(schedule.get_cadence_display())


@transaction.atomic
def create(
    *, membership: Membership, request: HttpRequest | None = None, **wish: Unpack[Wish]
) -> Schedule:
    """A new schedule of the member's own.

    Raises Refused for a viewer or a title that is not in scope, NotValid for the rest.
    """
    if not may_own(membership):
        raise Refused
    fields = _checked(membership, wish)
    members = _recipients(membership, wish["recipients"])
    schedule = Schedule.objects.create(partner_id=membership.partner_id, owner=membership, **fields)
    schedule.recipients.set(members)
    _record("schedule.made", membership, schedule, request, recipients=len(members), **fields)
    return schedule


@transaction.atomic
def edit(
    *,
    membership: Membership,
    schedule_id: UUID,
    request: HttpRequest | None = None,
    **wish: Unpack[Wish],
) -> Schedule:
    """Change a schedule, under the rules by which it was made. A period is still sent once.

    Titles that it has stay, also where the member may not see them (any more); so does what the
    wish does not name. Raises Refused for a schedule or title that the member may not use,
    NotValid for the rest.
    """
    schedule = _locked(membership, schedule_id)
    fields = _checked(membership, wish, had=schedule.titles or ())
    members = _recipients(membership, wish["recipients"])
    now = database_now()
    coming = next_due(schedule, now)
    is_other = fields.get("cadence", schedule.cadence) != schedule.cadence
    for field, value in fields.items():
        setattr(schedule, field, value)
    if is_other:
        # from the next one on: what the other cadence would have brought by now is not made good
        schedule.active_from = fields["active_from"] = now
    elif coming and (due := due_at(schedule, coming[1])) < schedule.active_from:
        # what was still to come, comes: an earlier slot must not lie before the schedule began
        schedule.active_from = fields["active_from"] = due
    schedule.save(update_fields=list(fields))
    fields.pop("active_from", None)
    schedule.recipients.set(members)
    _record("schedule.changed", membership, schedule, request, recipients=len(members), **fields)
    return schedule


@transaction.atomic
def send_now(
    *, membership: Membership, schedule_id: UUID, request: HttpRequest | None = None
) -> Run:
    """Send the last settled period at once, whether or not it was sent, beside the schedule's own.

    Raises Refused, and NotValid where what was asked for before is still being made.
    """
    schedule = _locked(membership, schedule_id)
    run = run_now(schedule, membership)
    if run is None:
        raise NotValid("name", _("It is being made already."))
    _record("schedule.sent_now", membership, schedule, request, period=run.period)
    return run


@transaction.atomic
def pause(
    *, membership: Membership, schedule_id: UUID, request: HttpRequest | None = None
) -> Schedule:
    """Stop a schedule for now; pausing a paused one does nothing. Raises Refused."""
    schedule = _locked(membership, schedule_id)
    if schedule.paused_at is None:
        schedule.paused_at = timezone.now()
        schedule.save(update_fields=["paused_at"])
        schedule.runs.update(held_until=None)  # what waits for numbers is given up
        _record("schedule.paused", membership, schedule, request)
    return schedule


@transaction.atomic
def resume(
    *, membership: Membership, schedule_id: UUID, request: HttpRequest | None = None
) -> Schedule:
    """Go on from now: what was due during the pause is not sent afterwards. Raises Refused.

    One whose owner may not own it any more becomes the member's, or it would never run.
    """
    schedule = _locked(membership, schedule_id)
    if schedule.paused_at is not None:
        owner = Membership.objects.filter(
            pk=schedule.owner_id, role__in=ORDERING, user__is_active=True
        ).first()
        Schedule.objects.filter(pk=schedule.pk).update(
            paused_at=None, active_from=Now(), owner=owner or membership
        )
        schedule.refresh_from_db()
        _record("schedule.resumed", membership, schedule, request)
    return schedule


@transaction.atomic
def delete(
    *, membership: Membership, schedule_id: UUID, request: HttpRequest | None = None
) -> None:
    """Remove a schedule; bundles that it made stay with their recipients. Raises Refused."""
    schedule = _locked(membership, schedule_id)
    _record("schedule.deleted", membership, schedule, request, name=schedule.name)
    Bundle.objects.filter(run__schedule=schedule).update(run=None)
    schedule.delete()


@transaction.atomic
def hand_over(
    *,
    leaver: Membership,
    to: Membership,
    by: User,
    request: HttpRequest | None = None,
) -> list[Schedule]:
    """Pause what one who leaves has set up and give it to an owner, who decides about it.

    `by` is who does it: the leaver, an owner or staff. Taken out of all schedules as a recipient,
    the leaver gets nothing more.
    """
    own = list(Schedule.objects.select_for_update().filter(owner=leaver))
    for schedule in own:
        schedule.owner = to
        schedule.paused_at = schedule.paused_at or timezone.now()
        schedule.save(update_fields=["owner", "paused_at"])
        record(
            "schedule.paused",
            actor=by,
            partner=to.partner,
            target=schedule.pk,
            request=request,
            owner_left=leaver.user.email,
        )
    for schedule in Schedule.objects.filter(recipients=leaver):
        schedule.recipients.remove(leaver)
    return own


def _locked(membership: Membership, schedule_id: UUID) -> Schedule:
    schedule = schedule_for(membership, schedule_id)
    return Schedule.objects.select_for_update().get(pk=schedule.pk)


def _checked(membership: Membership, wish: Wish, *, had: Collection[int] = ()) -> dict[str, Any]:
    """The wish as columns, but for its recipients. Raises NotValid or Refused."""
    titles = wish["titles"]
    name = " ".join(wish["name"].split())
    fields: dict[str, Any] = {k: v for k, v in wish.items() if k != "recipients"}
    fields["name"] = name
    fields["titles"] = None if titles is None else sorted(set(titles))
    if "formats" in wish:
        fields["formats"] = [f for f, _words in FORMATS if f in wish["formats"]]
    for field, is_right, words in (
        ("name", 0 < len(name) <= 120, _("Give it a name of at most 120 characters.")),
        ("cadence", wish.get("cadence", "weekly") in Schedule.Cadence, _("Choose how often.")),
        ("weekday", 0 <= wish.get("weekday", 0) <= 6, _("Choose a day of the week.")),
        ("monthday", 1 <= wish.get("monthday", 1) <= 31, _("Choose a day from 1 to 31.")),
        ("hour", 0 <= wish["hour"] <= 23, _("Choose an hour.")),
        ("zone", wish["zone"] in available_timezones(), _("Choose a time zone.")),
        ("language", wish["language"] in dict(REPORT_LANGUAGES), _("Choose a language.")),
        ("formats", set(wish.get("formats", ())) <= set(dict(FORMATS)), _("Choose the formats.")),
        ("paper", wish.get("paper", "a4") in dict(PAPERS), _("Choose the paper.")),
        (
            "deadline_hours",
            0 <= wish.get("deadline_hours", 0) <= MOST_HOURS,
            _("Wait for at most ten days (240 hours)."),
        ),
        ("titles", titles is None or bool(titles), _("Choose at least one title.")),
    ):
        if not is_right:
            raise NotValid(field, words)
    if not set(titles or ()) - set(had) <= scope_for(membership, EXIT).titles():
        raise Refused
    return fields


def _recipients(membership: Membership, ids: Sequence[UUID]) -> list[Membership]:
    """The members behind the ids, each once. An id of another partner is as one that is not."""
    wanted = set(ids)
    if not wanted or len(wanted) > MOST_RECIPIENTS:
        raise NotValid("recipients", _("Choose between one and fifty recipients."))
    members = list(
        Membership.objects.filter(
            pk__in=wanted, partner_id=membership.partner_id, user__is_active=True
        )
    )
    if len(members) != len(wanted):
        raise NotValid("recipients", _("Recipients are members of this partner."))
    return members


def _record(
    action: str,
    membership: Membership,
    schedule: Schedule,
    request: HttpRequest | None,
    **detail: Any,
) -> None:
    record(
        action,
        actor=membership.user,
        partner=membership.partner,
        target=schedule.pk,
        request=request,
        **detail,
    )
