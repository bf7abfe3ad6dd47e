"""What staff write of a grant: when it is proposed, narrowed, or given another end."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminDateWidget, AdminSplitDateTime
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from engagement.models import Title
from engagement.scope import ALL
from partners import grants
from partners.admin.choices import (
    CodesField,
    TerritoriesField,
    exit_choices,
    family_choices,
    in_order,
)
from partners.models import Grant


class GrantForm(forms.ModelForm):
    families = CodesField(label=_("families"), choices=family_choices)
    territories = TerritoriesField(label=_("territories"))
    exits = CodesField(label=_("exits"), choices=exit_choices)

    class Meta:
        model = Grant
        fields = (
            "partner",
            "contract_reference",
            "replaces",
            "titles",
            "families",
            "data_from",
            "data_until",
            "territories",
            "exits",
            "valid_from",
            "valid_until",
        )

    def clean_valid_from(self) -> datetime:
        at: datetime = self.cleaned_data["valid_from"]
        today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        if "valid_from" in self.changed_data and at < today:
            raise ValidationError(_t("A grant is not dated back: choose today or later."))
        return at

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        in_order(self, "data_from", "data_until")
        in_order(self, "valid_from", "valid_until")
        replaces = cleaned.get("replaces")
        if replaces is not None and replaces.partner != cleaned.get("partner"):
            self.add_error("replaces", _t("A grant replaces one of the same partner."))
        elif replaces is not None and replaces.state != Grant.State.APPROVED:
            self.add_error("replaces", _t("Only an approved grant can be replaced."))
        return cleaned


class NarrowForm(forms.Form):
    """What stays of an approved grant. Its lists hold nothing that was not approved."""

    titles = forms.ModelMultipleChoiceField(
        Title.objects.none(), label=_("titles"), widget=forms.CheckboxSelectMultiple
    )
    families = CodesField(label=_("families"), choices=family_choices)
    data_from = forms.DateField(label=_("data from"), required=False, widget=AdminDateWidget)
    data_until = forms.DateField(label=_("data until"), required=False, widget=AdminDateWidget)
    territories = TerritoriesField(label=_("territories"))
    exits = CodesField(label=_("exits"), choices=exit_choices)

    def __init__(self, data: Any, grant: Grant) -> None:
        now = grants.Terms.of(grant)
        super().__init__(data, initial={f.name: _listed(getattr(now, f.name)) for f in fields(now)})
        self.fields["titles"].queryset = grant.titles.all()  # type: ignore[attr-defined]
        for name, left in (
            ("families", now.families),
            ("exits", now.exits),
            ("territories", now.territories),
        ):
            field = self.fields[name]
            assert isinstance(field, CodesField)
            if ALL not in left:
                field.leave(left)

    def terms(self) -> grants.Terms:
        said = self.cleaned_data
        return grants.Terms(
            titles=frozenset(t.pk for t in said["titles"]),
            families=frozenset(said["families"]),
            territories=frozenset(said["territories"]),
            exits=frozenset(said["exits"]),
            data_from=said["data_from"],
            data_until=said["data_until"],
        )


def _listed(value: Any) -> Any:
    """Sets as the lists that Django's widgets compare with."""
    return sorted(value) if isinstance(value, frozenset) else value


class ExpiryForm(forms.Form):
    at = forms.SplitDateTimeField(label=_("valid until"), widget=AdminSplitDateTime)

    def clean_at(self) -> datetime:
        at: datetime = self.cleaned_data["at"]
        if at <= timezone.now():
            raise ValidationError(_t("This has passed. Revoke the grant to end it at once."))
        return at
