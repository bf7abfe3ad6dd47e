"""Partners' credentials, to be seen and ended. Staff make none, and nobody can show a token."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from engagement.admin_pages import ReadOnlyAdmin
from partners.admin.base import staff, state_shown
from partners.admin.filters import TypedPartner
from partners.credentials import STATES, revoke, state_of, with_state
from partners.models import Credential


@admin.register(Credential)
class CredentialAdmin(ReadOnlyAdmin):
    list_display = (
        "name", "partner", "made_by", "begins", "state", "made_at", "expires_at", "last_used_at",
    )  # fmt: skip
    list_filter = (("partner", TypedPartner),)
    list_select_related = ("partner", "made_by", "maker__user")
    search_fields = ("name", "prefix", "partner__slug", "made_by__email")
    fields = (
        "name", "partner", "made_by", "maker", "begins", "state", "exits", "families", "networks",
        "made_at", "expires_at", "last_used_at", "replaces", "revoked_at", "revoked_by",
    )  # fmt: skip
    actions = ("end",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Credential]:
        return with_state(super().get_queryset(request))

    def has_end_permission(self, request: HttpRequest) -> bool:
        return staff(request).has_perm("partners.change_credential")

    @admin.display(description=_("begins with"), ordering="prefix")
    def begins(self, credential: Credential) -> str:
        return f"{credential.prefix}…"

    @admin.display(description=_("state"))
    def state(self, credential: Credential) -> SafeString:
        reason = state_of(credential)
        if reason:
            return state_shown("revoked", str(STATES[reason]))
        return state_shown("approved", _t("open"))

    @admin.action(description=_("Revoke: their tokens open nothing any more"), permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[Credential]) -> None:
        n = sum(revoke(c, by=staff(request), request=request) for c in queryset)
        told = ngettext("%d credential revoked.", "%d credentials revoked.", n) % n
        self.message_user(request, told, messages.SUCCESS)
