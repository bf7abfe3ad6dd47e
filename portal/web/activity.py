"""The activity page: who did what of the own organisation, views by the platform's staff too."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from partners.activity import STAFF, Wanted, activity_of, record_of
from partners.audit import ACTIONS, SHOWN_TO_PARTNERS
from partners.models import Membership, with_people
from portal.reads import list_read
from portal.web.doors import partner_page

A_PAGE = 50


class FilterForm(forms.Form):
    """By person, action and day. What cannot be used is left out, as on a page of a list."""

    who = forms.ChoiceField(label=_("Who"), required=False)
    action = forms.ChoiceField(label=_("What"), required=False)
    day = forms.DateField(
        label=_("Day"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    before = forms.UUIDField(required=False)

    def __init__(
        self, *args: Any, reader: Membership, members: list[Membership], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.reader = reader
        choices: dict[str, list[tuple[str, Any]]] = {
            "who": [
                ("", _("Everybody")),
                (STAFF, _("Platform staff")),
                *((str(m.user_id), m.user.get_full_name()) for m in members),
            ],
            "action": [
                ("", _("Everything")),
                *((name, words) for name, words in ACTIONS.items() if name in SHOWN_TO_PARTNERS),
            ],
        }
        for name, offered in choices.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = offered

    def clean_before(self) -> int | None:
        told = self.cleaned_data["before"]
        try:
            return None if told is None else record_of(self.reader, told)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def wanted(self) -> Wanted:
        self.is_valid()
        chosen = self.cleaned_data
        who = chosen.get("who") or ""
        return Wanted(
            person=UUID(who) if who and who != STAFF else None,
            staff=who == STAFF,
            action=chosen.get("action") or "",
            day=chosen.get("day"),
            before=chosen.get("before"),
        )


@partner_page
@require_safe
def activity(request: HttpRequest, membership: Membership) -> HttpResponse:
    members = list(
        with_people(Membership.objects.filter(partner_id=membership.partner_id), "user").order_by(
            "user__email"
        )
    )
    form = FilterForm(request.GET, reader=membership, members=members)
    wanted = form.wanted()
    entries, rest = activity_of(membership, wanted, most=A_PAGE)
    list_read(request, membership, "activity")
    kept = {k: v for k in ("who", "action", "day") if (v := request.GET.get(k))}
    return render(
        request,
        "partner/activity.html",
        {
            "form": form,
            "entries": entries,
            "filtered": bool(kept) or wanted.before is not None,
            "next": urlencode({**kept, "before": rest}) if rest else "",
        },
    )
