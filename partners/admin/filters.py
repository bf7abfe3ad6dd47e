"""A list's filter by partner: its slug is typed, for a list of a thousand is no choice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from partners.models import Partner
from partners.staff_limits import visible


class TypedPartner(admin.FieldListFilter):
    """Use as `("partner", TypedPartner)`. Links name the partner by id, people by its slug."""

    template = "admin/partners/partner_filter.html"

    def __init__(
        self,
        field: Any,
        request: HttpRequest,
        params: dict[str, Any],
        model: Any,
        model_admin: Any,
        field_path: str,
    ) -> None:
        self.by_id, self.by_slug = f"{field_path}__id__exact", f"{field_path}__slug"
        if not any(params.get(self.by_slug, ())):
            params.pop(self.by_slug, None)  # the empty form asks for all
        super().__init__(field, request, params, model, model_admin, field_path)
        self.title = _("partner")
        self.chosen = self._chosen(request)

    def expected_parameters(self) -> list[str | None]:
        return [self.by_id, self.by_slug]

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> Iterator[Any]:
        """One: what is typed, and what else the list is asked for at the moment."""
        others = {
            name: values
            for name, values in changelist.filter_params.items()
            if name not in self.expected_parameters()
        }
        yield {
            "parameter": self.by_slug,
            "value": self.chosen,
            "others": [(name, value) for name, values in others.items() for value in values]
            + ([("q", changelist.query)] if changelist.query else []),
            "all": changelist.get_query_string(remove=self.expected_parameters()),
        }

    def _chosen(self, request: HttpRequest) -> str:
        if slug := self._asked(self.by_slug):
            return slug
        if pk := self._asked(self.by_id):
            try:
                found = visible(Partner.objects.filter(pk=pk), request).first()
            except ValueError:
                return ""
            return found.slug if found else ""
        return ""

    def _asked(self, parameter: str) -> str:
        values: Any = self.used_parameters.get(parameter)
        return str(values[-1]).strip() if values else ""
