"""The page that says why a partner or a member can, or cannot, see a number."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from engagement.models import Title
from partners import explain, territories
from partners.admin.base import AuditedAdmin
from partners.admin.choices import exit_choices, family_choices
from partners.admin.comparison import rows_of
from partners.models import Entitlement, Membership, Partner


class ExplainForm(forms.Form):
    """Without a title it asks what exactly is open."""

    member = forms.ModelChoiceField(
        Membership.objects.none(),
        label=_("member"),
        required=False,
        empty_label=_("the partner itself"),
    )
    title = forms.ModelChoiceField(
        Title.objects.all(),
        label=_("title"),
        required=False,
        widget=AutocompleteSelect(Entitlement._meta.get_field("title"), admin.site),
        help_text=_("Without one: exactly what is open now."),
    )
    family = forms.ChoiceField(label=_("family"), choices=family_choices, required=False)
    territory = forms.ChoiceField(label=_("territory"), choices=territories.choices, required=False)
    day = forms.DateField(label=_("day"), required=False)
    exit = forms.ChoiceField(label=_("exit"), choices=exit_choices, required=False)

    def __init__(self, data: Any, partner: Partner) -> None:
        super().__init__(data)
        members = Membership.objects.filter(partner=partner).select_related("user", "partner")
        self.fields["member"].queryset = members  # type: ignore[attr-defined]

    def question(self, partner: Partner) -> explain.Question | None:
        said = self.cleaned_data
        if said["title"] is None:
            return None
        return explain.Question(
            partner=partner,
            title=said["title"],
            family=said["family"] or family_choices()[0][0],
            territory=said["territory"] or territories.choices()[0][0],
            day=said["day"] or timezone.localdate(),
            exit=said["exit"] or exit_choices()[0][0],
            member=said["member"],
        )


def explain_page(page: AuditedAdmin, request: HttpRequest, partner: Partner) -> HttpResponse:
    asked = request.GET if request.GET else {"day": timezone.localdate()}
    form = ExplainForm(asked, partner)
    valid = form.is_valid()
    question = form.question(partner) if valid else None
    member = form.cleaned_data.get("member") if valid else None
    return page.step_page(
        request,
        partner,
        "admin/partners/partner/explain.html",
        title=_t("Who may see what, and why"),
        form=form,
        media=page.media + form.media,
        answer=explain.why(question) if question else None,
        rows=rows_of(explain.what(partner, member)) if valid and not question else [],
    )
