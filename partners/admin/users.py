"""Logins, and who among the staff may do what.

Administrators invite staff and give roles, on a page of its own and by the rules of
partners/roles.py; no form takes a right as a field. Nobody sees or sets another person's
password.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from engagement.admin_pages import ReadOnlyAdmin, lines, listed
from partners import roles
from partners.admin.base import AuditedAdmin, staff
from partners.admin.people import invite_page
from partners.admin.user_access import AccessSteps
from partners.models import Grant, Membership, Partner, RoleChange, User
from partners.roles import Role
from partners.staff_limits import visible

ROLE_NAMES: dict[str, str | Promise] = {
    Role.PARTNER_MANAGER: _("partner manager"),
    Role.DATA_OPERATIONS: _("data operations"),
    Role.AUDITOR: _("auditor"),
    Role.ADMINISTRATOR: _("administrator"),
}


_PARTNER: Any = Grant._meta.get_field("partner")
"""A field to choose by: its search is the one of the partners' own page."""


class RoleForm(forms.Form):
    """One role, or none; and for a partner manager a limit."""

    role = forms.TypedChoiceField(
        label=_("role"),
        required=False,
        coerce=Role,
        empty_value=None,
        choices=[("", _("none: not staff any more")), *ROLE_NAMES.items()],
        widget=forms.RadioSelect,
        help_text=_("An administrator is only proposed: a second administrator decides."),
    )
    narrow = forms.BooleanField(
        label=_("Limit to some partners"),
        required=False,
        help_text=_("Of a partner manager. With nothing chosen it leaves nothing."),
    )
    partners = forms.ModelMultipleChoiceField(
        Partner.objects.none(),
        label=_("only these partners"),
        required=False,
        widget=AutocompleteSelectMultiple(_PARTNER, admin.site),
    )

    def __init__(self, *args: Any, partners: QuerySet[Partner], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["partners"].queryset = partners  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """`partners` as `roles.give` takes them: ids, or None without a limit."""
        cleaned = super().clean() or self.cleaned_data
        chosen = [partner.pk for partner in cleaned.get("partners") or []]
        return {**cleaned, "partners": chosen if cleaned.get("narrow") else None}


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


class RoleFilter(admin.RelatedFieldListFilter):
    """The groups by what they are called in the reader's language."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[Any]:
        found = super().field_choices(field, request, model_admin)
        return [(pk, ROLE_NAMES.get(str(name), name)) for pk, name in found]


_OWN = ("name", "language", "is_active")


@admin.register(User)
class UserAdmin(AccessSteps):
    audit_subject = "user"
    change_form_template = "admin/partners/user/change_form.html"
    change_list_template = "admin/partners/user/change_list.html"
    list_display = ("email", "name", "is_active", "is_staff", "role", "is_superuser", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", ("groups", RoleFilter))
    search_fields = ("email", "name")
    inlines = (MembershipInline,)
    fieldsets = (
        (None, {"fields": ("email", *_OWN, "date_joined", "last_login")}),
        (_("Rights of staff"), {"fields": ("is_staff", "role", "limited_to", "is_superuser")}),
    )
    readonly_fields = (
        "email", "date_joined", "last_login", "is_staff", "role", "limited_to", "is_superuser",
    )  # fmt: skip
    actions = None

    def partner_of(self, obj: Any) -> None:
        return None

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows: QuerySet[User] = super().get_queryset(request)
        return rows.prefetch_related("groups")

    @admin.display(description=_("role"))
    def role(self, user: User) -> str:
        return listed(ROLE_NAMES.get(group.name, group.name) for group in user.groups.all())

    @admin.display(description=_("only these partners"))
    def limited_to(self, user: User) -> str:
        if user.limit_partners is None:
            return self.get_empty_value_display()
        return listed(Partner.objects.filter(pk__in=user.limit_partners))

    # -- who may -----------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the audit trail names them; switch "active" off instead

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody locks out those above or beside them; limited staff change no login at all,
        for it may be a member of partners that they cannot see.
        """
        user = staff(request)
        if obj is not None and obj.is_superuser:
            return user.is_superuser
        if obj is not None and obj.is_staff:
            return roles.hands_out_roles(user)
        return user.limit_partners is None and super().has_change_permission(request, obj)

    # -- steps -------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("invite/", wrap(self.invite), name="partners_user_invite"),
            path("<path:object_id>/role/", wrap(self.give_role), name="partners_user_role"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {**(extra_context or {}), "may_give_role": roles.hands_out_roles(staff(request))}
        return super().change_view(request, object_id, form_url, context)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "may_invite": roles.hands_out_roles(staff(request))}
        return super().changelist_view(request, context)

    def invite(self, request: HttpRequest) -> HttpResponse:
        """An administrator asks somebody onto the staff; the role comes after."""
        if not roles.hands_out_roles(staff(request)):
            raise PermissionDenied
        return invite_page(self, request, None) or HttpResponseRedirect(
            reverse("admin:partners_user_changelist")
        )

    def give_role(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The one role of a member of staff, and the partners a manager is limited to."""
        if not roles.hands_out_roles(staff(request)):
            raise PermissionDenied
        user: User = self.object_or_404(request, object_id)
        form = RoleForm(
            request.POST or None,
            partners=visible(Partner.objects.all(), request),
            initial={
                "role": roles.role_of(user) or "",
                "narrow": user.limit_partners is not None,
                "partners": user.limit_partners or [],
            },
        )
        if request.method == "POST" and form.is_valid():
            try:
                proposed = roles.give(
                    user,
                    form.cleaned_data["role"],
                    partners=form.cleaned_data["partners"],
                    by=staff(request),
                    request=request,
                )
            except roles.RoleError as error:
                form.add_error(None, str(error))
            else:
                told = (
                    _t("Proposed. A second administrator accepts or refuses it.")
                    if proposed
                    else _t("The role is set. It holds from the next page on.")
                )
                self.message_user(request, told, messages.SUCCESS)
                return self.back_to(user)
        return self.step_page(
            request,
            user,
            "admin/partners/user/role.html",
            title=_t("Role"),
            form=form,
            media=self.media + form.media,
        )


@admin.register(RoleChange)
class RoleChangeAdmin(AuditedAdmin):
    """Who is proposed as an administrator; decided by a second one."""

    audit_subject = "role"
    change_form_template = "admin/partners/rolechange/change_form.html"
    list_display = ("user", "made_by", "made_at", "decision", "decided_by", "decided_at")
    list_filter = (("decided_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user", "made_by", "decided_by")
    fields = ("user", "made_by", "made_at", "decision", "decided_by", "decided_at")
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    has_change_permission = has_delete_permission = ReadOnlyAdmin.has_change_permission

    @admin.display(description=_("decision"))
    def decision(self, change: RoleChange) -> str:
        if change.decided_at is None:
            return _t("waiting")
        return _t("accepted") if change.accepted else _t("refused")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<path:object_id>/decide/", wrap(self.decide), name="partners_rolechange_decide"),
            *super().get_urls(),
        ]

    def decide(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET: who, by whom. POST by a second administrator: accepted or refused."""
        if not roles.hands_out_roles(staff(request)):
            raise PermissionDenied
        change: RoleChange = self.object_or_404(request, object_id)
        steps = {"accept": roles.accept, "refuse": roles.refuse}
        step = next((steps[name] for name in steps if name in request.POST), None)
        if step is not None:
            try:
                step(change, by=staff(request), request=request)
            except roles.RoleError as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.message_user(request, _t("Decided."), messages.SUCCESS)
            return self.back_to(change)
        return self.step_page(
            request,
            change,
            "admin/partners/rolechange/decide.html",
            title=_t("Decide about an administrator"),
        )


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(ReadOnlyAdmin):
    """What each role may do. It is written in the migrations; no page changes it."""

    list_display = ("called",)
    fields = ("called", "may")

    @admin.display(description=_("role"), ordering="name")
    def called(self, group: Group) -> str:
        return str(ROLE_NAMES.get(group.name, group.name))

    @admin.display(description=_("permissions"))
    def may(self, group: Group) -> SafeString:
        held = group.permissions.select_related("content_type")
        return lines(sorted(f"{p.content_type.app_label}: {p.name}" for p in held))
