"""The audit trail: read by those who may, changed by nobody."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from engagement.admin_pages import ReadOnlyAdmin, pairs
from partners.admin.filters import TypedPartner
from partners.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "action", "partner", "target", "ip")
    list_filter = (
        "action",
        ("partner", TypedPartner),
        ("actor", admin.RelatedOnlyFieldListFilter),
        "at",
    )
    list_select_related = ("actor", "partner")
    search_fields = ("action", "target", "actor__email", "partner__slug")
    date_hierarchy = "at"
    fields = ("at", "actor", "action", "partner", "target", "said", "ip")

    @admin.display(description=_("detail"))
    def said(self, event: AuditEvent) -> SafeString:
        return pairs(event.detail)
