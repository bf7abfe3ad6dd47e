"""Short mails that say something has come to pass: a grant nears its end, a request moved, a
report did not arrive (failures.py).

Beat has them made; a unique key lets each be made once however often it is. They are sent as a
bundle's mail is (deliver.py): at most once, or visibly unknown. No figure and no title stands
in one: the link leads to a page that asks for sign-in.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, make_msgid
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import override

from engagement.roles import WORKER, acting_as
from partners.audit import record
from partners.models import AccessRequest, Grant, Membership
from reports import deliver, failures
from reports.models import LANGUAGES, Notice

TELL_WITHIN = timedelta(days=7)
"""A request that moved longer ago is told to nobody any more."""


def make_notices() -> int:
    """Make what is due and not made yet. Returns how many were made."""
    with acting_as(WORKER):
        made = Notice.objects.count()
        Notice.objects.bulk_create(_ending() + _moved() + failures.due(), ignore_conflicts=True)
        return Notice.objects.count() - made


def send(notice_id: UUID) -> bool:
    """Send it if it is due and nobody else does. Returns whether this call sent it."""
    return deliver.post(POST, notice_id)


def _ending() -> list[Notice]:
    """Of every live grant that has reached one of REMIND_DAYS, the last that it has reached.

    To the partner's owners and to its maker; not of one that an approved grant has replaced.
    """
    ending = (
        Grant.objects.filter(
            state=Grant.State.APPROVED,
            valid_until__gt=Now(),
            valid_until__lte=Now() + timedelta(days=max(settings.REMIND_DAYS)),
            partner__suspended_at__isnull=True,
        )
        .exclude(replaced_by__state=Grant.State.APPROVED)
        .select_related("made_by")
    )
    notices = []
    for grant in ending:
        assert grant.valid_until is not None
        left = grant.valid_until - timezone.now()
        days = min(d for d in settings.REMIND_DAYS if left <= timedelta(days=d, minutes=1))
        owners = Membership.objects.filter(
            partner=grant.partner_id, role=Membership.Role.OWNER, user__is_active=True
        ).values_list("user", flat=True)
        maker = [grant.made_by_id] if grant.made_by.is_active and grant.made_by.is_staff else []
        notices += [
            Notice(
                partner_id=grant.partner_id,
                user_id=user,
                grant=grant,
                key=f"grant-ends:{grant.pk}:{grant.valid_until:%Y-%m-%d}:{days}",
                message_id=make_msgid(domain="dailies"),
            )
            for user in {*owners, *maker}
        ]
    return notices


def _moved() -> list[Notice]:
    """Of every request that somebody at the platform has moved, to who asked."""
    moved = AccessRequest.objects.filter(
        state__in=[
            AccessRequest.State.PROPOSED,
            AccessRequest.State.GRANTED,
            AccessRequest.State.DECLINED,
        ],
        changed_at__gt=Now() - TELL_WITHIN,
    )
    return [
        Notice(
            partner_id=asked.partner_id,
            user_id=asked.asked_by_id,
            request=asked,
            key=f"request-moved:{asked.pk}:{asked.state}",
            message_id=make_msgid(domain="dailies"),
        )
        for asked in moved
    ]


def message_of(notice: Notice) -> EmailMultiAlternatives:
    """In the reader's language; staff are led to the admin, members to their pages."""
    user, grant, asked = notice.user, notice.grant, notice.request
    language = user.language if user.language in dict(LANGUAGES) else settings.LANGUAGE_CODE
    page = f"/p/{notice.partner.slug}/access/"
    if grant is not None and _is_maker(notice):
        page = f"/admin/partners/grant/{grant.pk}/change/"
    with override(language):
        values: dict[str, Any] = {
            "portal": settings.PORTAL_NAME,
            "name": user.get_full_name(),
            "partner": notice.partner.name_in(language),
            "ends_at": grant and grant.valid_until,
            "contract": grant.contract_reference if grant else "",
            "state": asked.get_state_display() if asked else "",
            # of the setting alone, as deliver.message_of has it
            "link": f"{settings.BASE_URL}{page}",
        }
        if grant is None and asked is None:
            with acting_as(WORKER):
                values |= failures.values(notice, language)
        name = f"mail/{_template(notice)}.{language}"
        subject, body = (
            render_to_string(f"{name}.{kind}", values) for kind in ("subject.txt", "txt")
        )
    return EmailMultiAlternatives(
        subject=" ".join(subject.split()),
        body=body,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[user.email],
        headers={
            "Message-ID": notice.message_id,
            "Auto-Submitted": "auto-generated",
            "Content-Language": "zh-Hans" if language == "zh-hans" else "en",
        },
    )


_ACTIONS = {
    "grant_ends": "grant.reminded",
    "request_moved": "access_request.mailed",
    "report_failed": "report_failure.mailed",
}


def _template(notice: Notice) -> str:
    if notice.grant is not None:
        return "grant_ends"
    return "request_moved" if notice.request is not None else "report_failed"


def _still_wanted(notice_id: UUID) -> Notice:
    """The notice, if it is still true and its reader may still read it. Raises Withdrawn."""
    with acting_as(WORKER):
        notice = Notice.objects.select_related(
            "partner", "user", "grant", "request", "run__schedule"
        ).get(pk=notice_id)
        if not (_may_read(notice) and _is_true(notice)):
            raise deliver.Withdrawn("it is not so any more, or its reader may not know it")
        return notice


def _may_read(notice: Notice) -> bool:
    user = notice.user
    if not user.is_active or notice.partner.suspended_at is not None:
        return False
    if _is_maker(notice):
        return user.is_staff
    if notice.bundle_id or notice.run_id:
        return True  # whose it is, is asked with whether it is so
    return Membership.objects.filter(user=user, partner=notice.partner).exists()


def _is_maker(notice: Notice) -> bool:
    return notice.grant is not None and notice.grant.made_by_id == notice.user_id


def _is_true(notice: Notice) -> bool:
    if notice.grant is not None:
        return notice.grant.state == Grant.State.APPROVED
    if notice.bundle_id or notice.run_id:
        return failures.is_true(notice)
    return notice.request is not None and notice.key.endswith(f":{notice.request.state}")


def _record_leaving(notice: Notice, message: EmailMultiAlternatives) -> None:
    record(
        _ACTIONS[_template(notice)],
        actor=None,
        partner=notice.partner,
        target=notice.about,
        recipient=str(notice.user_id),
    )


POST = deliver.Post(Notice, _still_wanted, message_of, _record_leaving)
