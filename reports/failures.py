"""Who is told that a report did not arrive, and what to do: each of them once for each bundle.

Whoever owns the schedule, or asked for the bundle, and the platform's data operations. That access
ended is the partner's business alone. What a notice names is one recipient, never the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import make_msgid
from django.db.models import Q
from django.db.models.functions import Now

from partners.models import Membership, User
from partners.roles import Role
from reports.ledger import Line, State, line_of
from reports.models import Bundle, Delivery, Job, Notice, Run

TELL_WITHIN = timedelta(days=7)
"""What failed longer ago is told to nobody any more."""
EMPTY_AFTER = timedelta(minutes=10)

_NOT_ARRIVED = (Job.State.FAILED, Job.State.UNKNOWN, Job.State.BOUNCED, Job.State.CANCELLED)


def due() -> list[Notice]:
    """The notices of all that did not arrive lately, made already or not, as the worker."""
    staff = _data_operations()
    return [*_of_bundles(staff), *_of_runs()]


def is_true(notice: Notice) -> bool:
    """Whether it still did not arrive, and the reader is still the one to know."""
    if notice.run is not None:
        asked = notice.run.schedule.owner_id
        return not notice.run.bundles.exists() and _may_know(notice, asked)
    bundle = _loaded(notice)
    return line_of(bundle).is_trouble and _may_know(notice, _owner(bundle).pk)


def values(notice: Notice, language: str) -> dict[str, Any]:
    """What the mail says; in the open transaction, under the language."""
    if notice.run is not None:
        run = notice.run
        return {
            "schedule": run.schedule.name,
            "since": run.from_day,
            "last": run.until - timedelta(days=1),
            "nobody": True,
            "page": _page(notice, run.schedule_id),
        }
    bundle = _loaded(notice)
    line = line_of(bundle)
    return {
        "schedule": bundle.run.schedule.name if bundle.run else "",
        "recipient": bundle.recipient.user.get_full_name(),
        "since": bundle.from_day,
        "last": bundle.until - timedelta(days=1),
        "state": line.state.label,
        "advice": line.advice,
        "nobody": bundle.run is not None and _reached_nobody(bundle.run),
        "page": _page(notice, bundle.run.schedule_id if bundle.run else None),
    }


def _of_bundles(staff: list[User]) -> Iterator[Notice]:
    lately = Now() - TELL_WITHIN
    mails = Delivery.objects.filter(state__in=_NOT_ARRIVED).filter(
        Q(done_at__gt=lately) | Q(bounced_at__gt=lately)
    )
    found = Bundle.objects.filter(
        Q(state=Job.State.FAILED, done_at__gt=lately) | Q(deliveries__in=mails),
        partner__suspended_at__isnull=True,
    ).distinct()
    for bundle in _with_all(found):
        line = line_of(bundle)
        if not line.is_trouble:
            continue
        again = line.delivery.resent_at if line.delivery else None
        key = f"failed:{bundle.pk}" + (f":{again:%Y%m%d%H%M%S}" if again else "")
        for user in _readers(_owner(bundle), staff, line):
            yield _notice(bundle.partner_id, user, key, bundle=bundle)


def _of_runs() -> Iterator[Notice]:
    """Of those that had nobody to go to."""
    empty = Run.objects.filter(
        Q(held_until__isnull=True) | Q(held_until__lt=Now()),
        bundles__isnull=True,
        skipped=False,
        made_at__gt=Now() - TELL_WITHIN,
        made_at__lt=Now() - EMPTY_AFTER,
        partner__suspended_at__isnull=True,
    )
    for run in empty.select_related("schedule__owner__user"):
        yield _notice(run.partner_id, run.schedule.owner.user, f"nobody:{run.pk}", run=run)


def _readers(owner: Membership, staff: list[User], line: Line) -> list[User]:
    told = {owner.user.pk: owner.user} if owner.user.is_active else {}
    if line.state != State.REFUSED:
        told |= {user.pk: user for user in staff}
    return list(told.values())


def _notice(partner_id: Any, user: User, key: str, **about: Any) -> Notice:
    message_id = make_msgid(domain="dailies")
    return Notice(partner_id=partner_id, user=user, key=key, message_id=message_id, **about)


def _data_operations() -> list[User]:
    """Staff of that role; where nobody has it, who may do all."""
    active = User.objects.filter(is_active=True, is_staff=True)
    found = list(active.filter(groups__name=Role.DATA_OPERATIONS.value))
    return found or list(active.filter(is_superuser=True))


def _owner(bundle: Bundle) -> Membership:
    return bundle.run.schedule.owner if bundle.run else bundle.recipient


def _may_know(notice: Notice, owner_id: Any) -> bool:
    if Membership.objects.filter(pk=owner_id, user=notice.user_id).exists():
        return True
    return notice.user.is_staff and notice.run is None


def _reached_nobody(run: Run) -> bool:
    """Whether all of it has ended, and none arrived."""
    lines = [line_of(b) for b in _with_all(run.bundles.all())]
    return all(line.is_trouble or line.state == State.CANCELLED for line in lines)


def _loaded(notice: Notice) -> Bundle:
    assert notice.bundle_id is not None
    bundle: Bundle = _with_all(Bundle.objects.filter(pk=notice.bundle_id)).get()
    return bundle


def _with_all(bundles: Any) -> Any:
    return bundles.select_related(
        "partner", "recipient__user", "run__schedule__owner__user"
    ).prefetch_related("deliveries")


def _page(notice: Notice, schedule_id: Any) -> str:
    if not Membership.objects.filter(user=notice.user_id, partner=notice.partner_id).exists():
        return f"{settings.BASE_URL}/admin/reports/bundle/{notice.bundle_id}/change/"
    asked = f"?schedule={schedule_id}" if schedule_id else "?state=trouble"
    return f"{settings.BASE_URL}/p/{notice.partner.slug}/reports/deliveries/{asked}"
