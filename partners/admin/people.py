"""Partners, their members, and the invitations that make members."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from engagement.admin_pages import listed
from engagement.models import Title
from partners import suspension
from partners.admin.base import AuditedAdmin, staff
from partners.admin.choices import FAMILY_NAMES, CodesField, capfirst_lazy, family_choices
from partners.admin.comparison import AsksBeforeSaving
from partners.admin.explain import explain_page
from partners.admin.filters import TypedPartner
from partners.admin.staff_views import view_page
from partners.blocks import Reach
from partners.difference import member_reach
from partners.invitations import InvitationError, invite
from partners.models import Entitlement, Grant, Invitation, Membership, Partner
from partners.staff_limits import visible


class LimitForm(forms.Form):
    """A limit: a box that says whether there is one, and what it leaves."""

    narrow_titles = forms.BooleanField(
        label=_("Limit to some titles"),
        required=False,
        help_text=_("A limit only narrows. With nothing chosen it leaves nothing."),
    )
    only_titles = forms.ModelMultipleChoiceField(
        Title.objects.all(),
        label=capfirst_lazy(_("only these titles")),
        required=False,
        widget=AutocompleteSelectMultiple(Grant._meta.get_field("titles"), admin.site),
    )
    narrow_families = forms.BooleanField(label=_("Limit to some families"), required=False)
    only_families = CodesField(
        label=_("only these families"), choices=family_choices, required=False
    )

    def limit_titles(self) -> list[int] | None:
        said = self.cleaned_data
        return sorted(t.pk for t in said["only_titles"]) if said.get("narrow_titles") else None

    def limit_families(self) -> list[str] | None:
        said = self.cleaned_data
        return said["only_families"] if said.get("narrow_families") else None


class InviteForm(LimitForm):
    """Who is asked in. Without role and limit it invites to the platform's staff."""

    email = forms.EmailField(label=_("e-mail"), max_length=254)
    role = forms.ChoiceField(label=_("role"), choices=Membership.Role.choices)
    language = forms.ChoiceField(label=_("language of the mail"), choices=settings.LANGUAGES)
    field_order = ("email", "role", "language")

    def __init__(self, *args: Any, titles: QuerySet[Title], to_staff: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["only_titles"].queryset = titles  # type: ignore[attr-defined]
        if to_staff:
            for name in ("role", *LimitForm.base_fields):
                del self.fields[name]


def invite_page(
    page: AuditedAdmin, request: HttpRequest, partner: Partner | None
) -> HttpResponse | None:
    """GET: the form. POST: the mail is sent and None comes back, or the form with its errors."""
    form = InviteForm(
        request.POST or None,
        titles=visible(Title.objects.all(), request),
        to_staff=partner is None,
        initial={"role": Membership.Role.VIEWER},
    )
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        try:
            with transaction.atomic():
                invite(
                    email=email,
                    partner=partner,
                    role=form.cleaned_data.get("role", ""),
                    language=form.cleaned_data["language"],
                    by=staff(request),
                    request=request,
                    limit_titles=form.limit_titles(),
                    limit_families=form.limit_families(),
                )
        except InvitationError as error:
            form.add_error("email", str(error))
        except OSError as error:  # smtplib's errors are OSErrors
            form.add_error(None, _t("The mail could not be sent: %(why)s") % {"why": error})
        else:
            page.message_user(
                request, _t("The invitation was sent to %s.") % email, messages.SUCCESS
            )
            return None
    return page.step_page(
        request,
        partner,
        "admin/partners/partner/invite.html",
        title=_t("Invite a member") if partner else _t("Invite staff"),
        form=form,
        media=page.media + form.media,
    )


def _count(rows: QuerySet[Any], what: str) -> Coalesce:
    """A subquery counting distinct `what` of the outer partner."""
    counted = (
        rows.filter(partner=OuterRef("pk"))
        .order_by()
        .values("partner")
        .annotate(n=Count(what, distinct=True))
        .values("n")
    )
    return Coalesce(Subquery(counted, output_field=models.IntegerField()), 0)


@admin.register(Partner)
class PartnerAdmin(AuditedAdmin):
    audit_subject = "partner"
    change_form_template = "admin/partners/partner/change_form.html"
    list_display = ("name_shown", "slug", "state", "members_n", "titles_n", "proposed_n")
    list_filter = (("suspended_at", admin.EmptyFieldListFilter),)
    search_fields = ("slug", "name_zh", "name_en")
    fields = ("slug", "name_zh", "name_en", "requires_mfa", "encrypt_reports", "sign_reports",
              "suspended_at")  # fmt: skip
    actions = ("suspend", "resume")

    def partner_of(self, obj: Partner) -> Partner:
        return obj

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug", "suspended_at") if obj else ("suspended_at",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the audit trail speaks of it for ever; suspend instead

    def get_queryset(self, request: HttpRequest) -> QuerySet[Partner]:
        live = Entitlement.objects.filter(
            Q(valid_until__isnull=True) | Q(valid_until__gt=Now()),
            valid_from__lte=Now(),
            grant__state=Grant.State.APPROVED,
        )
        rows: QuerySet[Partner] = super().get_queryset(request)
        return rows.annotate(
            n_members=_count(Membership.objects.all(), "pk"),
            n_titles=_count(live, "title"),
            n_proposed=_count(Grant.objects.filter(state=Grant.State.PROPOSED), "pk"),
        )

    @admin.display(description=_("name"), ordering="name_zh")
    def name_shown(self, partner: Partner) -> str:
        return partner.name

    @admin.display(description=_("state"), ordering="suspended_at")
    def state(self, partner: Partner) -> SafeString:
        if partner.suspended_at:
            return format_html('<span class="state state-revoked">{}</span>', _t("suspended"))
        return format_html('<span class="state state-approved">{}</span>', _t("active"))

    @admin.display(description=_("members"), ordering="n_members")
    def members_n(self, partner: Any) -> SafeString:
        return _linked("membership", partner, partner.n_members)

    @admin.display(description=_("titles open now"), ordering="n_titles")
    def titles_n(self, partner: Any) -> SafeString:
        return _linked("entitlement", partner, partner.n_titles)

    @admin.display(description=_("grants to approve"), ordering="n_proposed")
    def proposed_n(self, partner: Any) -> SafeString:
        return _linked("grant", partner, partner.n_proposed, "&state__exact=proposed")

    @admin.action(description=_("Suspend: close every exit at once"), permissions=["change"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Partner]) -> None:
        n = sum(suspension.suspend(p, by=staff(request), request=request) for p in queryset)
        told = ngettext("%d partner suspended.", "%d partners suspended.", n) % n
        self.message_user(request, told, messages.SUCCESS)

    @admin.action(description=_("Resume: open again what grants open"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Partner]) -> None:
        n = sum(suspension.resume(p, by=staff(request), request=request) for p in queryset)
        told = ngettext("%d partner resumed.", "%d partners resumed.", n) % n
        self.message_user(request, told, messages.SUCCESS)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<path:object_id>/invite/", wrap(self.invite), name="partners_partner_invite"),
            path("<path:object_id>/explain/", wrap(self.explain), name="partners_partner_explain"),
            path("<path:object_id>/view-as/", wrap(self.view_as), name="partners_partner_view_as"),
            *super().get_urls(),
        ]

    def invite(self, request: HttpRequest, object_id: str) -> HttpResponse:
        partner: Partner = self.object_or_404(request, object_id)
        if not staff(request).has_perm("partners.add_invitation"):
            raise PermissionDenied
        return invite_page(self, request, partner) or self.back_to(partner)

    def explain(self, request: HttpRequest, object_id: str) -> HttpResponse:
        partner: Partner = self.object_or_404(request, object_id)
        if not staff(request).has_perm("partners.view_entitlement"):
            raise PermissionDenied
        return explain_page(self, request, partner)

    def view_as(self, request: HttpRequest, object_id: str) -> HttpResponse:
        partner: Partner = self.object_or_404(request, object_id)
        if not staff(request).has_perm("partners.add_staffview"):
            raise PermissionDenied
        return view_page(self, request, partner)


def _linked(model: str, partner: Partner, n: int, more: str = "") -> SafeString:
    url = reverse(f"admin:partners_{model}_changelist")
    return format_html(
        '<a href="{}?partner__id__exact={}{}">{}</a>', url, partner.pk, more, f"{n:,}"
    )


class MembershipForm(LimitForm, forms.ModelForm):
    class Meta:
        model = Membership
        fields = ("role",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        member: Membership = self.instance
        self.initial = {
            **self.initial,
            "narrow_titles": member.limit_titles is not None,
            "only_titles": list(Title.objects.filter(pk__in=member.limit_titles or [])),
            "narrow_families": member.limit_families is not None,
            "only_families": member.limit_families or [],
        }

    def save(self, commit: bool = True) -> Membership:
        self.instance.limit_titles = self.limit_titles()
        self.instance.limit_families = self.limit_families()
        member: Membership = super().save(commit)
        return member


@admin.register(Membership)
class MembershipAdmin(AsksBeforeSaving):
    """A member comes by an accepted invitation, never by this page."""

    form = MembershipForm
    audit_subject = "membership"
    list_display = ("user", "name_shown", "partner", "role", "limits")
    list_filter = (("partner", TypedPartner), "role")
    list_select_related = ("user", "partner")
    search_fields = ("user__email", "user__name", "partner__slug", "partner__name_zh")
    readonly_fields = ("user", "partner")
    fields = (
        "user", "partner", "role",
        "narrow_titles", "only_titles", "narrow_families", "only_families",
    )  # fmt: skip

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The titles offered are those that the signed-in staff may see."""
        form = super().get_form(request, *args, **kwargs)
        titles: Any = deepcopy(form.base_fields["only_titles"])
        titles.queryset = visible(Title.objects.all(), request)
        form.base_fields = {**form.base_fields, "only_titles": titles}
        return form

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def compared(self, request: HttpRequest, object_id: str | None) -> Callable[[], Reach]:
        member = self.get_object(request, unquote(object_id)) if object_id else None
        return lambda: member_reach(member) if member is not None else {}

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Removing a member takes their bundles along, which nobody deletes by themselves."""
        shown, counts, _needed, protected = super().get_deleted_objects(objs, request)
        return shown, counts, set(), protected

    @admin.display(description=_("name"), ordering="user__name")
    def name_shown(self, member: Membership) -> str:
        return member.user.name or "–"

    @admin.display(description=_("limits"))
    def limits(self, member: Membership) -> str:
        return _limits(member)


def _limits(place: Membership | Invitation) -> str:
    """How many titles and which families a place is limited to."""
    told = []
    if place.limit_titles is not None:
        n = len(place.limit_titles)
        told.append(ngettext("%d title", "%d titles", n) % n)
    if place.limit_families is not None:
        told.append(listed(FAMILY_NAMES.get(f, f) for f in place.limit_families))
    return " · ".join(told) or "–"


@admin.register(Invitation)
class InvitationAdmin(AuditedAdmin):
    """Sent on a partner's page; here they are seen and withdrawn."""

    audit_subject = "invitation"
    list_display = (
        "email", "partner", "role", "limits", "made_by", "made_at", "expires_at", "accepted_at",
    )  # fmt: skip
    list_filter = (
        ("accepted_at", admin.EmptyFieldListFilter),
        ("partner", TypedPartner),
    )
    list_select_related = ("partner", "made_by")
    search_fields = ("email", "partner__slug")
    fields = (
        "email",
        "partner",
        "role",
        "only_titles",
        "only_families",
        "language",
        "made_by",
        "made_at",
        "expires_at",
        "accepted_at",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("limits"))
    def limits(self, invitation: Invitation) -> str:
        return _limits(invitation)

    @admin.display(description=_("only these titles"))
    def only_titles(self, invitation: Invitation) -> str:
        if invitation.limit_titles is None:
            return self.get_empty_value_display()
        return listed(Title.objects.filter(pk__in=invitation.limit_titles))

    @admin.display(description=_("only these families"))
    def only_families(self, invitation: Invitation) -> str:
        if invitation.limit_families is None:
            return self.get_empty_value_display()
        return listed(FAMILY_NAMES.get(f, f) for f in invitation.limit_families)
