"""Schedules: make, change, pause, resume, delete. The rules are reports/schedules.py's."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from engagement.models import Title
from engagement.scope import Refused
from partners.access import scope_for
from partners.models import Membership, with_people
from portal.reads import list_read
from portal.web.doors import may_order, partner_page
from portal.web.reports import titles_of
from reports import schedules
from reports.cadence import next_dues
from reports.models import FORMATS, PAPERS, REPORT_LANGUAGES, Schedule
from reports.plan import EXIT

WEEKDAYS = [
    (0, _("Monday")),
    (1, _("Tuesday")),
    (2, _("Wednesday")),
    (3, _("Thursday")),
    (4, _("Friday")),
    (5, _("Saturday")),
    (6, _("Sunday")),
]
_FIRST_ZONES = (
    "Asia/Shanghai",
    "Asia/Hong_Kong",
    "Asia/Tokyo",
    "Europe/London",
    "America/New_York",
)

RUNS_SHOWN = 10

_UNSEEN = "unseen"
"""The one choice that stands for all titles of a schedule that are not offered by name."""


class ScheduleForm(forms.Form):
    """Choices are offered here; reports/schedules.py checks them again."""

    name = forms.CharField(label=_("Name"), max_length=120)
    titles = forms.MultipleChoiceField(
        label=_("Titles"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: all that the recipient may see."),
    )
    cadence = forms.ChoiceField(
        label=_("How often"), choices=Schedule.Cadence.choices, required=False
    )
    weekday = forms.TypedChoiceField(label=_("Weekday"), choices=WEEKDAYS, coerce=int)
    monthday = forms.TypedChoiceField(
        label=_("Day of the month"),
        choices=[(n, str(n)) for n in range(1, 32)],
        coerce=int,
        empty_value=None,
        required=False,
        help_text=_("Of a month that has no such day: its last."),
    )
    hour = forms.TypedChoiceField(
        label=_("Hour"), choices=[(h, f"{h:02}:00") for h in range(24)], coerce=int
    )
    zone = forms.ChoiceField(label=_("Time zone"))
    language = forms.ChoiceField(label=_("Language"), choices=REPORT_LANGUAGES)
    paper = forms.ChoiceField(label=_("Paper"), choices=PAPERS, required=False)
    formats = forms.MultipleChoiceField(
        label=_("Also as"),
        required=False,
        choices=FORMATS,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("A PDF and CSV files are in every bundle."),
    )
    deadline_hours = forms.IntegerField(
        label=_("Hours to wait for late numbers"),
        min_value=0,
        max_value=schedules.MOST_HOURS,
        required=False,
        help_text=_("Then it goes out with what there is, and says that it is delayed."),
    )
    skip_unchanged = forms.BooleanField(
        label=_("Skip it when nothing was published since the last one"), required=False
    )
    recipients = forms.MultipleChoiceField(
        label=_("Recipients"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one recipient.")},
    )

    def __init__(
        self,
        *args: Any,
        titles: list[Title],
        members: list[Membership],
        had: Collection[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.offered = titles
        # what this member cannot be shown stays as it is until they say otherwise
        self.unseen = sorted(set(had) - {t.pk for t in titles})
        rest = sorted(z for z in available_timezones() if "/" in z and z not in _FIRST_ZONES)
        choices: dict[str, list[Any]] = {
            "titles": [(str(t.pk), t.name) for t in titles] + self._unseen_choice(),
            "zone": [(z, z) for z in (*_FIRST_ZONES, *rest)],
            "recipients": [
                (str(m.pk), f"{m.user.get_full_name()} · {m.get_role_display()}") for m in members
            ],
        }
        for name, offered in choices.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = offered

    def _unseen_choice(self) -> list[tuple[str, str]]:
        n = len(self.unseen)
        words = ngettext(
            "%(n)s title that is closed to you", "%(n)s titles that are closed to you", n
        )
        return [(_UNSEEN, words % {"n": n})] if n else []

    def values(self) -> dict[str, Any]:
        """What reports/schedules.py asks for; what was not sent is not named."""
        chosen = {k: v for k, v in self.cleaned_data.items() if v not in ("", None)}
        titles = [int(pk) for pk in chosen["titles"] if pk != _UNSEEN]
        if _UNSEEN in chosen["titles"]:
            titles += self.unseen
        chosen["titles"] = titles or None
        chosen["recipients"] = [UUID(pk) for pk in chosen["recipients"]]
        return chosen


@partner_page
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, membership: Membership) -> HttpResponse:
    if not may_order(membership):
        raise Refused
    initial = {
        "cadence": "weekly",
        "weekday": 2,
        "monthday": 1,
        "hour": 9,
        "zone": "Asia/Shanghai",
        "language": get_language() or "zh-hans",
        "paper": "a4",
        "deadline_hours": 24,
        "recipients": [str(membership.pk)],
    }
    form = _form(request, membership, initial)
    if request.method == "POST" and form.is_valid():
        try:
            schedules.create(membership=membership, request=request, **form.values())
        except schedules.NotValid as problem:
            form.add_error(problem.field, problem.message)
        else:
            messages.success(request, _("The schedule is kept."))
            return redirect("reports", partner=membership.partner.slug)
    list_read(request, membership, "schedules/new")
    return _page(request, form, None)


@partner_page
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, membership: Membership, id: UUID) -> HttpResponse:
    schedule = schedules.schedule_for(membership, id)
    form = _form(request, membership, _written(schedule), had=schedule.titles or ())
    if request.method == "POST" and form.is_valid():
        try:
            schedules.edit(membership=membership, schedule_id=id, request=request, **form.values())
        except schedules.NotValid as problem:
            form.add_error(problem.field, problem.message)
        else:
            messages.success(request, _("The schedule is kept."))
            return redirect("reports", partner=membership.partner.slug)
    list_read(request, membership, f"schedules/{id}")
    return _page(request, form, schedule)


@partner_page
@require_POST
def pause(request: HttpRequest, membership: Membership, id: UUID) -> HttpResponse:
    schedules.pause(membership=membership, schedule_id=id, request=request)
    return redirect("reports", partner=membership.partner.slug)


@partner_page
@require_POST
def resume(request: HttpRequest, membership: Membership, id: UUID) -> HttpResponse:
    schedules.resume(membership=membership, schedule_id=id, request=request)
    return redirect("reports", partner=membership.partner.slug)


@partner_page
@require_POST
def send_now(request: HttpRequest, membership: Membership, id: UUID) -> HttpResponse:
    try:
        schedules.send_now(membership=membership, schedule_id=id, request=request)
    except schedules.NotValid as problem:
        messages.info(request, problem.message)
    else:
        messages.success(request, _("It is being made and goes to all recipients."))
    return redirect("schedule", partner=membership.partner.slug, id=id)


@partner_page
@require_POST
def delete(request: HttpRequest, membership: Membership, id: UUID) -> HttpResponse:
    schedules.delete(membership=membership, schedule_id=id, request=request)
    messages.success(request, _("The schedule is deleted. Bundles that it made stay."))
    return redirect("reports", partner=membership.partner.slug)


def _page(request: HttpRequest, form: ScheduleForm, schedule: Schedule | None) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "schedule": schedule,
        "sample": any(t.sample for t in form.offered),
    }
    if schedule is not None:
        context["next"] = next_dues(schedule, 3)
        context["runs"] = schedule.runs.order_by("-due_at")[:RUNS_SHOWN]
    return render(request, "partner/schedule.html", context)


def _form(
    request: HttpRequest,
    membership: Membership,
    initial: dict[str, Any],
    had: Collection[int] = (),
) -> ScheduleForm:
    form = ScheduleForm(
        request.POST if request.method == "POST" else None,
        initial=initial,
        titles=titles_of(scope_for(membership, EXIT)),
        had=had,
        members=list(
            with_people(Membership.objects.all(), "user").filter(
                partner_id=membership.partner_id, user__is_active=True
            )
        ),
    )
    if form.unseen:
        form.initial["titles"] = [*initial["titles"], _UNSEEN]
    return form


def _written(schedule: Schedule) -> dict[str, Any]:
    return {
        "name": schedule.name,
        "titles": [str(pk) for pk in schedule.titles or ()],
        "cadence": schedule.cadence,
        "weekday": schedule.weekday,
        "monthday": schedule.monthday,
        "hour": schedule.hour,
        "zone": schedule.zone,
        "language": schedule.language,
        "paper": schedule.paper,
        "formats": schedule.formats,
        "deadline_hours": schedule.deadline_hours,
        "skip_unchanged": schedule.skip_unchanged,
        "recipients": [str(m.pk) for m in schedule.recipients.all()],
    }
