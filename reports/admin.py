"""What was asked for, what was built and what went out: staff read.

The work itself is in reports/jobs.py.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from engagement.admin_pages import ReadOnlyAdmin, lines, listed
from engagement.models import Title
from partners import members
from partners.admin.base import staff
from partners.admin.filters import TypedPartner
from partners.admin.people import MembershipAdmin
from partners.audit import record
from partners.models import Membership, User
from reports import jobs, schedules
from reports.models import Bundle, Delivery, Notice, Schedule
from reports.resending import CannotResend, resend

_PARTNER = ("partner", TypedPartner)


def _titles(ids: list[int] | None) -> str:
    if ids is None:
        return _t("all that the recipient may see")
    return listed(Title.objects.filter(pk__in=ids))


class JobAdmin(ReadOnlyAdmin):
    """A piece of work: its state, and what went wrong."""

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, job: Any) -> SafeString:
        return format_html(
            '<span class="state state-{}">{}</span>', job.state, job.get_state_display()
        )

    @admin.display(description=_("problem"))
    def trouble(self, job: Any) -> SafeString | str:
        if not job.problem:
            return self.get_empty_value_display()
        return format_html('<div class="problem">{}</div>', lines(job.problem.splitlines()))


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    list_display = ("name", "partner", "owner", "when", "language", "paused_at")
    list_filter = (_PARTNER, ("paused_at", admin.EmptyFieldListFilter))
    list_select_related = ("partner", "owner__user", "owner__partner")
    search_fields = ("name", "partner__slug")
    fields = (
        "name", "partner", "owner", "when", ("language", "paper", "formats"), "covered",
        "recipients", ("deadline_hours", "skip_unchanged"), "paused_at", "made_at",
    )  # fmt: skip

    @admin.display(description=_("when"))
    def when(self, schedule: Schedule) -> str:
        often = schedules.often(schedule, get_language() or "zh-hans")
        return f"{often} {schedule.hour:02d}:00 {schedule.zone}"

    @admin.display(description=_("titles"))
    def covered(self, schedule: Schedule) -> str:
        return _titles(schedule.titles)


@admin.register(Bundle)
class BundleAdmin(JobAdmin):
    list_display = (
        "id", "partner", "recipient", "from_day", "until", "state_shown", "attempts", "made_at",
        "done_at",
    )  # fmt: skip
    list_filter = ("state", _PARTNER, "made_at")
    list_select_related = ("partner", "recipient__user", "recipient__partner")
    search_fields = ("id", "partner__slug", "recipient__user__email")
    date_hierarchy = "made_at"
    fields = (
        "id", "partner", "recipient", "run", ("from_day", "until"), "covered", "language",
        "state_shown", ("step", "progress"), "failure", "trouble", "attempts",
        ("made_at", "done_at"), "file", "sent", "purged_at",
    )  # fmt: skip

    @admin.display(description=_("titles"))
    def covered(self, bundle: Bundle) -> str:
        return _titles(bundle.titles)

    actions = ("try_again", "cancel")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("reports.change_bundle")

    @admin.action(description=_("Try failed bundles again"), permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Bundle]) -> None:
        actor = request.user if isinstance(request.user, User) else None
        restarted = 0
        for bundle in queryset.select_related("partner"):
            if jobs.restart(bundle.pk):
                restarted += 1
                record(
                    "bundle.restarted",
                    actor=actor,
                    partner=bundle.partner,
                    target=bundle.pk,
                    request=request,
                )
        told = ngettext("%d bundle is queued again.", "%d bundles are queued again.", restarted)
        self.message_user(request, told % restarted, messages.SUCCESS)

    @admin.action(description=_("Cancel bundles that are not made yet"), permissions=["retry"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Bundle]) -> None:
        cancelled = 0
        for bundle in queryset.select_related("partner"):
            if jobs.cancel(bundle.pk):
                cancelled += 1
                record(
                    "bundle.cancelled",
                    actor=staff(request),
                    partner=bundle.partner,
                    target=bundle.pk,
                    request=request,
                )
        told = ngettext("%d bundle is cancelled.", "%d bundles are cancelled.", cancelled)
        self.message_user(request, told % cancelled, messages.SUCCESS)

    @admin.display(description=_("artefact"))
    def file(self, bundle: Bundle) -> str:
        artefact = getattr(bundle, "artefact", None)
        return f"{artefact.name} · SHA-256 {artefact.sha256}" if artefact else "–"

    @admin.display(description=_("deliveries"))
    def sent(self, bundle: Bundle) -> SafeString:
        return format_html(
            '<a href="{}?bundle__id__exact={}">{}</a>',
            reverse("admin:reports_delivery_changelist"),
            bundle.pk,
            bundle.deliveries.count(),
        )


@admin.register(Delivery)
class DeliveryAdmin(JobAdmin):
    list_display = (
        "address", "partner", "report", "state_shown", "attempts", "made_at", "sent_at",
    )  # fmt: skip
    list_filter = ("state", _PARTNER, "failure", "channel", "attached", "made_at")
    list_select_related = ("partner", "bundle__run__schedule")
    search_fields = ("address", "partner__slug", "message_id", "bundle__id")
    date_hierarchy = "made_at"
    fields = (
        "address", "partner", "recipient", "bundle", "channel", "state_shown", "failure", "trouble",
        "attempts", ("made_at", "sent_at", "bounced_at"), ("resent_at", "resent_by"), "attached",
        "message_id",
    )  # fmt: skip
    followed = ("bundle",)
    actions = ("send_again",)

    @admin.display(description=_("report"))
    def report(self, delivery: Delivery) -> str:
        bundle = delivery.bundle
        window = f"{bundle.from_day} – {bundle.until - timedelta(days=1)}"
        return f"{bundle.run.schedule.name} · {window}" if bundle.run else window

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("reports.change_bundle")

    @admin.action(description=_("Send again what did not arrive"), permissions=["resend"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        sent = 0
        for delivery in queryset.select_related("bundle__partner", "bundle__recipient__user"):
            try:
                resend(delivery.bundle, by=staff(request), request=request)
            except CannotResend as problem:
                self.message_user(request, f"{delivery}: {problem}", messages.WARNING)
            else:
                sent += 1
        told = ngettext("%d mail is sent again.", "%d mails are sent again.", sent)
        self.message_user(request, told % sent, messages.SUCCESS)


@admin.register(Notice)
class NoticeAdmin(JobAdmin):
    list_display = ("user", "partner", "about", "state_shown", "attempts", "made_at", "sent_at")
    list_filter = ("state", _PARTNER, "made_at")
    list_select_related = (
        "user",
        "partner",
        "grant__partner",
        "request__partner",
        "request__title",
        "bundle",
        "run__schedule",
    )
    search_fields = ("user__email", "partner__slug", "message_id")
    fields = (
        "user", "partner", "about", "state_shown", "failure", "trouble", "attempts",
        ("made_at", "sent_at"), "message_id",
    )  # fmt: skip

    @admin.display(description=_("about"))
    def about(self, notice: Notice) -> str:
        return str(notice.grant or notice.request or notice.bundle or notice.run)


admin.site.unregister(Membership)


@admin.register(Membership)
class LeavingMembershipAdmin(MembershipAdmin):
    """A member whom staff remove leaves their schedules behind, as on the team's own page."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What would go, as it would be after the schedules were handed over."""
        with transaction.atomic():
            for member in objs:
                self._hand_over(request, member)
            found = super().get_deleted_objects(objs, request)
            transaction.set_rollback(True)
        return found

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        heir, paused = self._hand_over(request, obj)
        super().delete_model(request, obj)
        if heir is None or not paused:
            return
        told = _t("Reports of theirs stand still and are %(name)s's now: %(reports)s.")
        self.message_user(
            request,
            told % {"name": heir.user.get_full_name(), "reports": ", ".join(paused)},
            messages.WARNING,
        )
        tell = partial(members.tell_owners_of_schedules, heir, obj.user.get_full_name(), paused)
        transaction.on_commit(tell, robust=True)

    def _hand_over(
        self, request: HttpRequest, leaver: Membership
    ) -> tuple[Membership | None, list[str]]:
        heir = members.next_in_line(leaver)
        if heir is None:
            return None, []
        by = staff(request)
        paused = schedules.hand_over(leaver=leaver, to=heir, by=by, request=request)
        return heir, [schedule.name for schedule in paused]
