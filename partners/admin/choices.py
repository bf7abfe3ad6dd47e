"""Form fields for the codes that grants, holdings and limits are made of.

Chosen from the known lists and checked against them on the server.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from django import forms
from django.contrib.admin.widgets import FilteredSelectMultiple
from django.utils.functional import Promise, lazy
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from engagement.families.registry import FAMILIES
from engagement.scope import ALL, EXITS
from partners import territories

FAMILY_NAMES: dict[str, str | Promise] = {
    "viewing": _("viewing"),
    "retention": _("retention"),
    "rewatch": _("rewatch"),
    "demographics": _("demographics"),
    "geography": _("geography"),
    "danmu": _("danmu"),
    "discussion": _("discussion"),
    "sharing": _("sharing"),
    "fanbases": _("fanbases"),
    "prerelease": _("prerelease"),
}
EXIT_NAMES: dict[str, str | Promise] = {
    "web": _("pages"),
    "export": _("downloaded files"),
    "email": _("files attached to mail"),
    "api": _("API"),
    "delta": _("Delta Sharing"),
}


def family_choices() -> list[tuple[str, Any]]:
    return [(f, FAMILY_NAMES.get(f, f)) for f in FAMILIES]


def exit_choices() -> list[tuple[str, Any]]:
    return [(e, EXIT_NAMES.get(e, e)) for e in EXITS]


capfirst_lazy: Callable[[Any], Any] = lazy(capfirst, str)


class CodesField(forms.MultipleChoiceField):
    """Some of a known list, kept in the list's order."""

    def __init__(
        self,
        *,
        label: Any,
        choices: Callable[[], list[tuple[str, Any]]],
        widget: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            label=capfirst_lazy(label),
            choices=choices,
            widget=widget or forms.CheckboxSelectMultiple,
            **options,
        )
        self.known = choices

    def leave(self, codes: Collection[str]) -> None:
        """Offer and accept no other codes than these."""
        known = self.known
        self.known = lambda: [(code, label) for code, label in known() if code in codes]
        self.choices = self.known

    def prepare_value(self, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value

    def clean(self, value: Any) -> list[str]:
        chosen = set(super().clean(value))
        return [code for code, _label in self.known() if code in chosen]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return sorted(initial or []) != sorted(data or [])


class TerritoriesField(CodesField):
    """ISO 3166-1 codes, or `*` for all; `*` beside others is `*`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            choices=territories.choices,
            widget=FilteredSelectMultiple(_("territories"), is_stacked=False),
            help_text=_("* opens all territories."),
            **options,
        )

    def clean(self, value: Any) -> list[str]:
        codes = super().clean(value)
        return [ALL] if ALL in codes else codes


def in_order(form: forms.Form | forms.ModelForm, since: str, until: str) -> None:
    """Half-open periods: an error at `until` unless it comes after `since`."""
    first, last = form.cleaned_data.get(since), form.cleaned_data.get(until)
    if first and last and first >= last:
        form.add_error(until, _t("The end is the first moment outside: it must be later."))
