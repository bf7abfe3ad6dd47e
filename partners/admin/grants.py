"""Whose titles are, and who may see what of them.

A grant is made here by one person and approved by another, who first sees exactly what it
opens. The rules are in partners/grants.py and in the database; these pages follow them.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from engagement.admin_pages import listed
from engagement.scope import EVER
from partners import grants, narrowing, territories
from partners.admin.base import AuditedAdmin, by_whom, plain, staff
from partners.admin.choices import (
    EXIT_NAMES,
    FAMILY_NAMES,
)
from partners.admin.comparison import confirm_page, difference_shown, is_confirmed
from partners.admin.filters import TypedPartner
from partners.admin.grant_forms import ExpiryForm, GrantForm, NarrowForm
from partners.difference import on_approval, on_narrowing, on_revoking
from partners.models import Grant, Holding


def preview(grant: Grant) -> SafeString:
    """A table of what the grant opens: the same list that approval writes."""
    openings = grants.opens(grant)
    held = set(
        Holding.objects.filter(
            partner=grant.partner, title__in=[o.title.pk for o in openings]
        ).values_list("title_id", flat=True)
    )
    rows = [
        {
            "opening": o,
            "families": [(f, FAMILY_NAMES.get(f, f)) for f in o.families],
            "territories": [(t, territories.name(t)) for t in o.territories],
            "exits": [(e, EXIT_NAMES.get(e, e)) for e in o.exits],
            "since": None if o.window.since == EVER.since else o.window.since,
            "until": None if o.window.until == EVER.until else o.window.until,
            "through": o.through if o.through.pk != o.title.pk else None,
            "held": o.title.pk in held,
        }
        for o in openings
    ]
    return render_to_string(
        "admin/partners/grant/_preview.html",
        {"grant": grant, "rows": rows, "not_held": sum(not r["held"] for r in rows)},
    )


@admin.register(Grant)
class GrantAdmin(AuditedAdmin):
    form = GrantForm
    audit_subject = "grant"
    change_form_template = "admin/partners/grant/change_form.html"
    list_display = (
        "contract_reference",
        "partner",
        "state_shown",
        "title_count",
        "what",
        "valid",
        "two_people",
    )
    list_filter = (
        "state",
        ("partner", TypedPartner),
        "valid_until",
    )
    list_select_related = ("partner", "made_by", "approved_by")
    search_fields = (
        "contract_reference",
        "partner__slug",
        "partner__name_zh",
        "partner__name_en",
        "titles__slug",
        "titles__name_zh",
        "titles__name_en",
    )
    search_help_text = _("Contract reference, partner or title")
    autocomplete_fields = ("partner", "titles", "replaces")
    readonly_fields = ("opens", "changes", "state_shown", "made", "approved", "revoked")
    actions = None

    def get_fieldsets(self, request: HttpRequest, obj: Grant | None = None) -> Any:
        asked = (
            (_("Contract"), {"fields": ("partner", "contract_reference", "replaces")}),
            (
                _("What it opens"),
                {
                    "fields": (
                        "titles",
                        "families",
                        ("data_from", "data_until"),
                        "territories",
                        "exits",
                    )
                },
            ),
            (_("While it is valid"), {"fields": ("valid_from", "valid_until")}),
        )
        if obj is None:
            return asked
        shown = ("opens", "changes") if obj.state == Grant.State.PROPOSED else ("opens",)
        told = (
            (_("State"), {"fields": ("state_shown", "made", "approved", "revoked")}),
            (_("Preview"), {"fields": shown, "classes": ("wide",)}),
        )
        return (*told, *asked)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        rows: QuerySet[Grant] = super().get_queryset(request)
        # of the rows shown: a join would count the titles of every grant there is
        named: QuerySet[Any] = Grant.titles.through.objects.filter(grant=OuterRef("pk")).order_by()
        named = named.values("grant").annotate(n=Count("pk")).values("n")
        return rows.annotate(titles_named=Coalesce(Subquery(named), 0))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Of a grant that is to be replaced: what it opens, to be widened."""
        given = super().get_changeform_initial_data(request)
        old = self.get_object(request, str(given["replaces"])) if "replaces" in given else None
        if old is None:
            return {"valid_from": timezone.now(), **given}
        kept = {
            f: getattr(old, f)
            for f in ("partner", "contract_reference", "families", "data_from", "data_until",
                      "territories", "exits", "valid_until")
        }  # fmt: skip
        return {**kept, "titles": old.titles.all(), "valid_from": timezone.now(), **given}

    # -- who may -----------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: Grant | None = None) -> bool:
        """Only its maker changes a proposed grant, so that the approver is another person."""
        if not super().has_change_permission(request, obj):
            return False
        if obj is None:
            return True
        return obj.state == Grant.State.PROPOSED and obj.made_by_id == staff(request).pk

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def _may(self, request: HttpRequest, grant: Grant) -> dict[str, bool]:
        """Which steps this person may take now."""
        user = staff(request)
        change = user.has_perm("partners.change_grant")
        return {
            "may_approve": grant.state == Grant.State.PROPOSED
            and user.has_perm("partners.approve_grant")
            and grant.made_by_id != user.pk,
            "is_maker": grant.made_by_id == user.pk,
            "may_revoke": change and grant.state != Grant.State.REVOKED,
            "may_narrow": change and grant.state == Grant.State.APPROVED,
            "may_replace": user.has_perm("partners.add_grant")
            and grant.state == Grant.State.APPROVED,
        }

    # -- columns -----------------------------------------------------------------------------

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, grant: Grant) -> SafeString:
        state, label = grant.state, grant.get_state_display()
        if (
            state == Grant.State.APPROVED
            and grant.valid_until
            and grant.valid_until <= timezone.now()
        ):
            state, label = "expired", _t("expired")
        return format_html('<span class="state state-{}">{}</span>', state, label)

    @admin.display(description=_("titles"))
    def title_count(self, grant: Any) -> int:
        return int(grant.titles_named)

    @admin.display(description=_("families"))
    def what(self, grant: Grant) -> str:
        return listed(FAMILY_NAMES.get(f, f) for f in grant.families)

    @admin.display(description=_("valid"), ordering="valid_until")
    def valid(self, grant: Grant) -> SafeString:
        days = (
            f"{timezone.localtime(at):%Y-%m-%d %H:%M}" if at else _t("no end")
            for at in (grant.valid_from, grant.valid_until)
        )
        return format_html('<span class="period">{} –<br>{}</span>', *days)

    @admin.display(description=_("made / approved by"))
    def two_people(self, grant: Grant) -> SafeString:
        names = (u.get_full_name() if u else "–" for u in (grant.made_by, grant.approved_by))
        return format_html("{}<br>{}", *names)

    @admin.display(description=_("made"))
    def made(self, grant: Grant) -> str:
        return by_whom(grant.made_by, grant.made_at)

    @admin.display(description=_("approved"))
    def approved(self, grant: Grant) -> str:
        return by_whom(grant.approved_by, grant.approved_at)

    @admin.display(description=_("revoked"))
    def revoked(self, grant: Grant) -> str:
        return by_whom(grant.revoked_by, grant.revoked_at)

    @admin.display(description=_("Opens"))
    def opens(self, grant: Grant) -> SafeString:
        return preview(grant)

    @admin.display(description=_("On approval"))
    def changes(self, grant: Grant) -> SafeString:
        return difference_shown(on_approval(grant))

    # -- saving ------------------------------------------------------------------------------

    def save_model(
        self, request: HttpRequest, obj: Grant, form: forms.ModelForm, change: bool
    ) -> None:
        if not change:
            obj.made_by = staff(request)
        admin.ModelAdmin.save_model(self, request, obj, form, change)

    def save_related(
        self, request: HttpRequest, form: forms.ModelForm, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        if change and not form.changed_data:
            return
        before = {f: plain(form.initial.get(f)) for f in form.changed_data} if change else None
        grants.propose(form.instance, by=staff(request), request=request, before=before)

    def response_add(
        self, request: HttpRequest, obj: Grant, post_url_continue: Any = None
    ) -> HttpResponse:
        if {"_addanother", "_continue", "_popup"} & request.POST.keys():
            return super().response_add(request, obj, post_url_continue)
        self.message_user(
            request,
            _t("The grant is proposed. It opens nothing until another person approves it."),
            messages.SUCCESS,
        )
        return self.back_to(obj)

    # -- steps -------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<path:object_id>/approve/", wrap(self.approve), name="partners_grant_approve"),
            path("<path:object_id>/revoke/", wrap(self.revoke), name="partners_grant_revoke"),
            path("<path:object_id>/narrow/", wrap(self.narrow), name="partners_grant_narrow"),
            path("<path:object_id>/expiry/", wrap(self.expire), name="partners_grant_expiry"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        grant = self.object_or_404(request, object_id) if request.method == "GET" else None
        context = {**(extra_context or {}), **(self._may(request, grant) if grant else {})}
        return super().change_view(request, object_id, form_url, context)

    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET: what it opens. POST by another person than the maker: approved."""
        grant = self.object_or_404(request, object_id)
        if not staff(request).has_perm("partners.approve_grant"):
            raise PermissionDenied
        if request.method == "POST":
            try:
                grants.approve(
                    grant, by=staff(request), seen=request.POST.get("seen", ""), request=request
                )
            except grants.GrantError as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.log_change(request, grant, "approved")
                self.message_user(request, _t("The grant is approved and open."), messages.SUCCESS)
            return self.back_to(grant)
        return self.step_page(
            request,
            grant,
            "admin/partners/grant/approve.html",
            title=_t("Approve grant"),
            preview=preview(grant),
            difference=difference_shown(on_approval(grant)),
            seen=grants.digest(grants.opens(grant)),
            is_proposed=grant.state == Grant.State.PROPOSED,
            own_holding=grants.own_holdings(grant, staff(request)).exists(),
            **self._may(request, grant),
        )

    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET: what closes. POST: revoked, at once."""
        grant = self._for_change(request, object_id)
        if request.method == "POST":
            grants.revoke(grant, by=staff(request), request=request)
            self.log_change(request, grant, "revoked")
            self.message_user(
                request,
                _t("The grant is revoked. Nothing of it is open any more."),
                messages.SUCCESS,
            )
            return self.back_to(grant)
        return self.step_page(
            request,
            grant,
            "admin/partners/grant/revoke.html",
            title=_t("Revoke grant"),
            preview=preview(grant),
            difference=difference_shown(on_revoking(grant)),
            may_revoke=grant.state != Grant.State.REVOKED,
        )

    def narrow(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET: what may stay. POST: what that closes, and then, confirmed, narrowed at once."""
        grant = self._for_change(request, object_id)
        form = NarrowForm(request.POST or None, grant)
        if request.method == "POST" and form.is_valid():
            try:
                difference = on_narrowing(grant, narrowing.checked(grant, form.terms()))
                if not is_confirmed(request, difference):
                    return confirm_page(self, request, difference, grant)
                narrowing.narrow(grant, form.terms(), by=staff(request), request=request)
            except grants.GrantError as error:
                form.add_error(None, str(error))
            else:
                self.log_change(request, grant, "narrowed")
                self.message_user(request, _t("The grant is narrowed."), messages.SUCCESS)
                return self.back_to(grant)
        return self.step_page(
            request,
            grant,
            "admin/partners/grant/narrow.html",
            title=_t("Narrow a grant"),
            form=form,
            media=self.media + form.media,
        )

    def expire(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """An earlier end, or a first one."""
        grant = self._for_change(request, object_id)
        form = ExpiryForm(request.POST or None, initial={"at": grant.valid_until})
        if request.method == "POST" and form.is_valid():
            try:
                grants.expire(grant, at=form.cleaned_data["at"], by=staff(request), request=request)
            except grants.GrantError as error:
                form.add_error("at", str(error))
            else:
                self.log_change(request, grant, "expiry set")
                self.message_user(request, _t("The end of the grant is set."), messages.SUCCESS)
                return self.back_to(grant)
        return self.step_page(
            request,
            grant,
            "admin/partners/grant/expiry.html",
            title=_t("Set the end of a grant"),
            form=form,
            media=self.media + form.media,
        )

    def _for_change(self, request: HttpRequest, object_id: str) -> Grant:
        grant: Grant = self.object_or_404(request, object_id)
        if not staff(request).has_perm("partners.change_grant"):
            raise PermissionDenied
        return grant
