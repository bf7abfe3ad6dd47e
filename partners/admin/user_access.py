"""Two steps on a person's page: a lost second factor is removed, or everything they hold ends."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from partners import second_factors
from partners.admin.base import AuditedAdmin, staff
from partners.models import User
from partners.sessions import end_all_access


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("reason"), max_length=300, help_text=_("Kept in the audit trail with your name.")
    )


class AccessSteps(AuditedAdmin):
    """For the page of a person."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path(
                "<path:object_id>/second-factor/",
                wrap(self.second_factor),
                name="partners_user_second_factor",
            ),
            path(
                "<path:object_id>/end-access/",
                wrap(self.end_access),
                name="partners_user_end_access",
            ),
            *super().get_urls(),
        ]

    def second_factor(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Remove the lost second factors of a person who has said so."""
        user, form = self._with_reason(request, object_id)
        if form.is_valid():
            try:
                second_factors.reset(
                    user, by=staff(request), reason=form.cleaned_data["reason"], request=request
                )
            except OSError as error:  # smtplib's errors are OSErrors
                form.add_error(None, _t("The mail could not be sent: %(why)s") % {"why": error})
            else:
                self.message_user(request, _t("They set up anew when they next sign in."))
                return self.back_to(user)
        template = "admin/partners/user/second_factor.html"
        return self.step_page(request, user, template, title=_t("Lost second factor"), form=form)

    def end_access(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End every session and credential of a person, whose rights stay as they are."""
        user, form = self._with_reason(request, object_id)
        if form.is_valid():
            end_all_access(
                user, by=staff(request), reason=form.cleaned_data["reason"], request=request
            )
            self.message_user(request, _t("Every session and credential of theirs has ended."))
            return self.back_to(user)
        template = "admin/partners/user/end_access.html"
        return self.step_page(request, user, template, title=_t("End all access"), form=form)

    def _with_reason(self, request: HttpRequest, object_id: str) -> tuple[User, ReasonForm]:
        """The person of a step, and why it is taken; never oneself.

        Raises PermissionDenied.
        """
        user: Any = self.object_or_404(request, object_id)
        if user == request.user or not self.has_change_permission(request, user):
            raise PermissionDenied
        return user, ReasonForm(request.POST if request.method == "POST" else None)
