"""The audit trail: read by those who may, changed by nobody.

A long list: nothing of it is counted or told apart over the whole table to offer a filter.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from engagement.admin_pages import ReadOnlyAdmin, pairs
from partners.admin.filters import TypedPartner
from partners.audit import ACTIONS
from partners.models import AuditEvent


class ActionFilter(admin.SimpleListFilter):
    """The actions that there are, not those that were found: these are asked of no table."""

    title = _("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return sorted(ACTIONS.items())

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditEvent]
    ) -> QuerySet[AuditEvent]:
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "action", "partner", "target", "ip")
    list_filter = (ActionFilter, ("partner", TypedPartner), "at")
    followed = ("actor",)
    list_select_related = ("actor", "partner")
    search_fields = ("target", "actor__email")
    search_help_text = _("Who (an e-mail address), or what")
    fields = (
        "at",
        "actor",
        "action",
        "meaning",
        "partner",
        "target",
        "said",
        "ip",
        "database_user",
        "sealed",
    )

    @admin.display(description=_("detail"))
    def said(self, event: AuditEvent) -> SafeString:
        return pairs(event.detail)

    @admin.display(description=_("meaning"))
    def meaning(self, event: AuditEvent) -> str:
        return str(ACTIONS.get(event.action, "–"))

    @admin.display(description=_("sealed"))
    def sealed(self, event: AuditEvent) -> str:
        """Where it stands in the chain."""
        link = getattr(event, "link", None)
        return f"{link.seal_id} / {link.position} / {bytes(link.sha256).hex()}" if link else "–"
