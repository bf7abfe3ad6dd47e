"""Logins, and who among the staff may do what.

Only a superuser makes staff, superusers, or gives permissions; nobody sees or sets another
person's password. People come in by invitation.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from partners.admin.base import AuditedAdmin, staff
from partners.admin.people import invite_page
from partners.models import Membership, User


class MembershipInline(admin.TabularInline):
    model = Membership
    fields = readonly_fields = ("partner", "role")
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


_OWN = ("name", "language", "is_active")
_RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(AuditedAdmin):
    audit_subject = "user"
    change_list_template = "admin/partners/user/change_list.html"
    list_display = ("email", "name", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", "groups")
    search_fields = ("email", "name")
    filter_horizontal = ("groups", "user_permissions")
    inlines = (MembershipInline,)
    fieldsets = (
        (None, {"fields": ("email", *_OWN, "date_joined", "last_login")}),
        (_("Rights of staff"), {"fields": _RIGHTS}),
    )
    actions = None

    def partner_of(self, obj: Any) -> None:
        return None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fixed = ("email", "date_joined", "last_login")
        return fixed if staff(request).is_superuser else (*fixed, *_RIGHTS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the audit trail names them; switch "active" off instead

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Staff are changed by superusers only: nobody locks out those above or beside them."""
        if obj is not None and (obj.is_staff or obj.is_superuser):
            return staff(request).is_superuser
        return super().has_change_permission(request, obj)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("invite/", wrap(self.invite), name="partners_user_invite"),
            *super().get_urls(),
        ]

    def invite(self, request: HttpRequest) -> HttpResponse:
        """A superuser asks somebody onto the staff."""
        if not staff(request).is_superuser:
            raise PermissionDenied
        return invite_page(self, request, None) or HttpResponseRedirect(
            reverse("admin:partners_user_changelist")
        )


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(AuditedAdmin, DjangoGroupAdmin):
    """Which permissions a group of staff has: the superusers' business."""

    audit_subject = "group"

    def partner_of(self, obj: Any) -> None:
        return None

    def has_module_permission(self, request: HttpRequest) -> bool:
        return staff(request).is_superuser

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return staff(request).is_superuser

    has_change_permission = has_delete_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return staff(request).is_superuser
