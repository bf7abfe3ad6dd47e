"""Weekly reports: which week is due when, and who may set them up.

A schedule reports whole weeks, Monday to Sunday in the platform's zone. A week's report is due
at the schedule's first local slot after the week has settled: each week has exactly one such
moment, whatever clocks do, and the unique (schedule, week) makes any number of beats harmless.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max, Prefetch, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from engagement.roles import WORKER, acting_as
from engagement.scope import Refused, Window
from engagement.settling import settled_until
from partners.access import scope_for
from partners.audit import record
from partners.models import Membership, User, with_people
from reports import jobs
from reports.models import LANGUAGES, Bundle, Schedule
from reports.plan import EXIT

log = logging.getLogger(__name__)

WEEK = timedelta(days=7)
LATE_AFTER = timedelta(hours=1)
WEEKS_CAUGHT_UP = 2
"""How many settled weeks are looked back on: a beat that stood still for days is made good."""
MOST_RECIPIENTS = 50
_MAY_OWN = (Membership.Role.OWNER, Membership.Role.ANALYST)

_INSERT_RUN = """
INSERT INTO reports_run (id, schedule_id, partner_id, period, from_day, until, due_at, late,
    delayed, skipped)
VALUES (%(id)s, %(schedule)s, %(partner)s, %(period)s, %(since)s, %(until)s, %(due)s, %(late)s,
    false, false)
ON CONFLICT (schedule_id, period) DO NOTHING
"""


class NotValid(Exception):
    """A schedule that cannot be, in words for whoever wrote it. `field` names the culprit."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


# --- when ------------------------------------------------------------------------------------


def slot_at_or_after(moment: datetime, *, weekday: int, hour: int, zone: ZoneInfo) -> datetime:
    """The first local `weekday` at `hour`:00 in `zone` that is not before `moment`, in UTC.

    An hour that the clocks skip is the moment they skip at plus as much; one that they repeat
    is its first.
    """
    local = moment.astimezone(zone)
    day = local.date() + timedelta(days=(weekday - local.weekday()) % 7)
    slot = datetime.combine(day, time(hour), zone).astimezone(UTC)
    if slot < moment:
        slot = datetime.combine(day + WEEK, time(hour), zone).astimezone(UTC)
    return slot


def settled_weeks(now: datetime, count: int = WEEKS_CAUGHT_UP) -> list[Window]:
    """The last `count` weeks that have settled, the oldest first."""
    open_day = settled_until(now)
    until = open_day - timedelta(days=open_day.weekday())
    return [Window(until - WEEK * n, until - WEEK * (n - 1)) for n in range(count, 0, -1)]


def settles_at(week: Window) -> datetime:
    """The moment at which the week's last day has settled: a midnight in the platform's zone."""
    day = week.until + timedelta(days=settings.SETTLE_DAYS)
    return datetime.combine(day, time(), ZoneInfo(settings.TIME_ZONE))


def due_at(schedule: Schedule, week: Window) -> datetime:
    """When the report of a week is due."""
    return slot_at_or_after(
        settles_at(week),
        weekday=schedule.weekday,
        hour=schedule.hour,
        zone=ZoneInfo(schedule.zone),
    )


def next_due(schedule: Schedule, now: datetime | None = None) -> tuple[datetime, Window] | None:
    """When the next report goes out and of which week; None while paused."""
    if schedule.paused_at is not None:
        return None
    now = now or timezone.now()
    week = settled_weeks(now)[0]
    while (due := due_at(schedule, week)) <= now:
        week = Window(week.since + WEEK, week.until + WEEK)
    return due, week


# --- making runs -----------------------------------------------------------------------------


def make_runs(now: datetime | None = None) -> int:
    """Insert what is due and not there yet: a run, and a bundle for each recipient.

    `now` is the database's clock unless a test says otherwise. Returns the runs made by this
    call; several at once share them.
    """
    with acting_as(WORKER):
        now = now or _database_now()
        schedules = list(_active().values_list("pk", flat=True))
    made = 0
    for schedule_id in schedules:
        try:
            made += _make_runs_of(schedule_id, now)
        except Exception:
            log.exception("schedule %s", schedule_id)  # the others are not held up
    return made


@transaction.atomic
def _make_runs_of(schedule_id: UUID, now: datetime) -> int:
    made = 0
    with acting_as(WORKER):
        # locked, so that a pause or an edit comes before or after, never in between
        schedule = _active().select_for_update(of=("self",)).filter(pk=schedule_id).first()
        if schedule is None:
            return 0
        newest = schedule.runs.aggregate(newest=Max("from_day"))["newest"]
        for week in settled_weeks(now):
            if newest is not None and week.since <= newest:
                continue  # a later slot chosen since must not bring an older week
            due = due_at(schedule, week)
            if schedule.active_from <= due <= now and _make_run(schedule, week, due, now):
                made += 1
    return made


def _make_run(schedule: Schedule, week: Window, due: datetime, now: datetime) -> bool:
    """One run and its bundles; False where the week has one."""
    run_id = uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT_RUN,
            {
                "id": run_id,
                "schedule": schedule.pk,
                "partner": schedule.partner_id,
                "period": f"week:{week.since}",
                "since": week.since,
                "until": week.until,
                "due": due,
                "late": now - due > LATE_AFTER,
            },
        )
        if cursor.rowcount != 1:
            return False
    # What each may see is worked out when it is built; one who may see nothing gets nothing.
    for recipient in schedule.recipients.filter(
        partner_id=schedule.partner_id, user__is_active=True
    ):
        bundle = Bundle.objects.create(
            partner_id=schedule.partner_id,
            run_id=run_id,
            recipient=recipient,
            titles=schedule.titles,
            from_day=week.since,
            until=week.until,
            language=schedule.language,
        )
        jobs.ring(Bundle, bundle.pk)
    return True


def _active() -> QuerySet[Schedule]:
    """Schedules that run: not paused, the partner open, the owner still one who may own them."""
    return Schedule.objects.filter(
        paused_at__isnull=True,
        partner__suspended_at__isnull=True,
        owner__user__is_active=True,
        owner__role__in=_MAY_OWN,
    )


def _database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


# --- setting up ------------------------------------------------------------------------------


def may_own(membership: Membership) -> bool:
    """Whether the member's role has schedules of its own."""
    return membership.role in _MAY_OWN


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


@transaction.atomic
def create(
    *,
    membership: Membership,
    name: str,
    titles: Sequence[int] | None,
    weekday: int,
    hour: int,
    zone: str,
    language: str,
    recipients: Sequence[UUID],
    request: HttpRequest | None = None,
) -> Schedule:
    """A new schedule of the member's own. `recipients` are ids of memberships of the partner.

    Raises Refused for a viewer or a title that is not in scope, NotValid for the rest.
    """
    if not may_own(membership):
        raise Refused
    fields = _checked(membership, name, titles, weekday, hour, zone, language)
    members = _recipients(membership, recipients)
    schedule = Schedule.objects.create(partner_id=membership.partner_id, owner=membership, **fields)
    schedule.recipients.set(members)
    _record("schedule.made", membership, schedule, request, recipients=len(members), **fields)
    return schedule


@transaction.atomic
def edit(
    *,
    membership: Membership,
    schedule_id: UUID,
    name: str,
    titles: Sequence[int] | None,
    weekday: int,
    hour: int,
    zone: str,
    language: str,
    recipients: Sequence[UUID],
    request: HttpRequest | None = None,
) -> Schedule:
    """Change a schedule, under the rules by which it was made. A week is still sent once.

    Titles that it has stay, also where the member may not see them (any more).
    Raises Refused for a schedule or title that the member may not use, NotValid for the rest.
    """
    schedule = _locked(membership, schedule_id)
    had = schedule.titles or ()
    fields = _checked(membership, name, titles, weekday, hour, zone, language, had=had)
    members = _recipients(membership, recipients)
    for field, value in fields.items():
        setattr(schedule, field, value)
    schedule.save(update_fields=list(fields))
    schedule.recipients.set(members)
    _record("schedule.changed", membership, schedule, request, recipients=len(members), **fields)
    return schedule


@transaction.atomic
def pause(
    *, membership: Membership, schedule_id: UUID, request: HttpRequest | None = None
) -> Schedule:
    """Stop a schedule for now; pausing a paused one does nothing. Raises Refused."""
    schedule = _locked(membership, schedule_id)
    if schedule.paused_at is None:
        schedule.paused_at = timezone.now()
        schedule.save(update_fields=["paused_at"])
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
            pk=schedule.owner_id, role__in=_MAY_OWN, user__is_active=True
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


def _checked(
    membership: Membership,
    name: str,
    titles: Sequence[int] | None,
    weekday: int,
    hour: int,
    zone: str,
    language: str,
    *,
    had: Collection[int] = (),
) -> dict[str, Any]:
    name = " ".join(name.split())
    if not name or len(name) > 120:
        raise NotValid("name", _("Give it a name of at most 120 characters."))
    if not 0 <= weekday <= 6:
        raise NotValid("weekday", _("Choose a day of the week."))
    if not 0 <= hour <= 23:
        raise NotValid("hour", _("Choose an hour."))
    if zone not in available_timezones():
        raise NotValid("zone", _("Choose a time zone."))
    if language not in dict(LANGUAGES):
        raise NotValid("language", _("Choose a language."))
    if titles is not None:
        if not titles:
            raise NotValid("titles", _("Choose at least one title."))
        if not set(titles) - set(had) <= scope_for(membership, EXIT).titles():
            raise Refused
    return {
        "name": name,
        "titles": None if titles is None else sorted(set(titles)),
        "weekday": weekday,
        "hour": hour,
        "zone": zone,
        "language": language,
    }


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
