"""Single sign-on of partners: the provider, and the domains it may speak for."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from partners.admin.base import AuditedAdmin, paragraphs, staff, state_shown
from partners.models import ClaimedDomain, IdentityProvider
from partners.single_sign_on import (
    DomainNotVerified,
    answer_address,
    keep_secret,
    sign_in_address,
    verify_domain,
)


class IdentityProviderForm(forms.ModelForm):
    client_secret = forms.CharField(
        label=_("client secret"),
        required=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Kept encrypted and never shown again. Empty leaves the one that is kept."),
    )

    class Meta:
        model = IdentityProvider
        fields = ("partner", "issuer", "client_id", "enabled", "enforced", "vouches_second_factor")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        kept = self.instance.client_secret_encrypted
        if cleaned.get("enforced") and not cleaned.get("enabled"):
            self.add_error("enforced", _t("Enable single sign-on before you enforce it."))
        if cleaned.get("enabled") and not (cleaned.get("client_secret") or kept):
            self.add_error("client_secret", _t("Enter the client secret before you enable it."))
        if "issuer" in self.changed_data and self._has_members():
            self.add_error(
                "issuer",
                _t(
                    "Members are bound to subjects of this issuer, which mean nothing at another:"
                    " delete this provider and enter the new one."
                ),
            )
        return cleaned

    def _has_members(self) -> bool:
        return not self.instance._state.adding and self.instance.identities.exists()


@admin.register(IdentityProvider)
class IdentityProviderAdmin(AuditedAdmin):
    form = IdentityProviderForm
    audit_subject = "identity_provider"
    list_display = ("partner", "issuer", "enabled", "enforced", "vouches_second_factor")
    list_select_related = ("partner",)
    search_fields = ("partner__slug", "issuer")
    autocomplete_fields = ("partner",)
    actions = None
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "partner", "issuer", "client_id", "client_secret", "sign_in", "answer",
                    "enabled", "enforced", "vouches_second_factor",
                ),
                "description": paragraphs(
                    _(
                        "Members of the partner sign in through its own OpenID Connect provider."
                        " It may sign in those whose address lies in a verified domain of the"
                        " partner and who are members or invited; what opens is this partner"
                        " only."
                    ),
                    _(
                        "Enforced, the partner's pages no longer open by password. If the provider"
                        " fails for long, lift it here; invitations and passwords work again at"
                        " once."
                    ),
                ),
            },
        ),
    )  # fmt: skip
    readonly_fields = ("sign_in", "answer")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "partner") if obj else self.readonly_fields

    def save_model(
        self, request: HttpRequest, obj: IdentityProvider, form: forms.ModelForm, change: bool
    ) -> None:
        secret = form.cleaned_data.pop("client_secret", "")
        if secret:
            keep_secret(obj, secret)
        super().save_model(request, obj, form, change)

    def audit_target(self, obj: IdentityProvider) -> str:
        return obj.issuer

    @admin.display(description=_("address of the sign-in"))
    def sign_in(self, provider: IdentityProvider) -> SafeString | str:
        return _address(provider, sign_in_address)

    @admin.display(description=_("redirect URI, to enter at the provider"))
    def answer(self, provider: IdentityProvider) -> SafeString | str:
        return _address(provider, answer_address)


def _address(provider: IdentityProvider, of: Any) -> SafeString | str:
    if provider._state.adding:
        return _t("after the first saving")
    return format_html("<code>{}</code>", of(provider))


class VerifyForm(forms.Form):
    evidence = forms.CharField(
        label=_("evidence"),
        max_length=300,
        help_text=_("What was seen: the DNS record and its text, or the letter, and the day."),
    )


@admin.register(ClaimedDomain)
class ClaimedDomainAdmin(AuditedAdmin):
    """Entered by one person, verified by another; then it is removed or stays, never changed."""

    audit_subject = "claimed_domain"
    change_form_template = "admin/partners/claimeddomain/change_form.html"
    list_display = ("domain", "partner", "state", "claimed_by", "verified_by")
    list_select_related = ("partner", "claimed_by", "verified_by")
    search_fields = ("domain", "partner__slug")
    autocomplete_fields = ("partner",)
    fields = (
        "partner", "domain", "claimed_by", "claimed_at", "verified_by", "verified_at", "evidence",
    )  # fmt: skip
    readonly_fields = ("claimed_by", "claimed_at", "verified_by", "verified_at", "evidence")
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "partner", "domain") if obj else self.readonly_fields

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "domain" and field is not None:
            field.help_text = _t("As after the @ of its addresses, in small letters: example.com")
        return field

    def save_model(
        self, request: HttpRequest, obj: ClaimedDomain, form: forms.ModelForm, change: bool
    ) -> None:
        if not change:
            obj.claimed_by = staff(request)
        super().save_model(request, obj, form, change)

    @admin.display(description=_("state"))
    def state(self, claimed: ClaimedDomain) -> SafeString:
        if claimed.verified_at is None:
            return state_shown("proposed", _t("claimed"))
        return state_shown("approved", _t("verified"))

    def get_urls(self) -> list[URLPattern]:
        verify = path(
            "<path:object_id>/verify/",
            self.admin_site.admin_view(self.verify_view),
            name="partners_claimeddomain_verify",
        )
        return [verify, *super().get_urls()]

    def verify_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        claimed = self.object_or_404(request, object_id)
        if not self.has_change_permission(request, claimed):
            raise PermissionDenied
        form = VerifyForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                verify_domain(
                    claimed,
                    evidence=form.cleaned_data["evidence"],
                    by=staff(request),
                    request=request,
                )
            except DomainNotVerified as error:
                form.add_error(None, str(error))
            else:
                self.message_user(request, _t("The domain is verified."), messages.SUCCESS)
                return self.back_to(claimed)
        return self.step_page(
            request, claimed, "admin/form.html", title=_t("Verify the domain"), form=form
        )
