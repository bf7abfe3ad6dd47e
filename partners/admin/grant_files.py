"""Grants by a file: what it would open is shown first, and again before it is approved."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from partners import grant_files, grants
from partners.admin.base import AuditedAdmin, staff
from partners.admin.comparison import difference_shown
from partners.difference import on_approval
from partners.models import Grant, GrantBatch

MOST_BYTES = 2_000_000


class FileForm(forms.Form):
    """A file to look at or, as `text`, the one that was looked at."""

    file = forms.FileField(
        label=_("file"),
        required=False,
        help_text=_("CSV in UTF-8, one grant a line; lists are separated by |."),
    )
    text = forms.CharField(required=False, widget=forms.HiddenInput, strip=False)
    name = forms.CharField(required=False, widget=forms.HiddenInput, max_length=200)

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        file = said.get("file")
        if file is not None:
            if file.size > MOST_BYTES:
                raise forms.ValidationError(_t("The file is larger than 2 MB."))
            try:
                said["text"], said["name"] = file.read().decode("utf-8"), file.name
            except UnicodeDecodeError:
                raise forms.ValidationError(_t("The file is not UTF-8.")) from None
        if not said.get("text"):
            raise forms.ValidationError(_t("Choose a file."))
        return said


@admin.register(GrantBatch)
class GrantBatchAdmin(AuditedAdmin):
    """A file is read, shown, and proposed whole or not at all; a second person approves it."""

    audit_subject = "grant_batch"
    change_form_template = "admin/partners/grantbatch/change_form.html"
    list_display = ("name", "made_by", "made_at", "waits")
    list_select_related = ("made_by",)
    fields = readonly_fields = ("name", "sha256", "made_by", "made_at", "waits", "opens")
    actions = None

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("grants to approve"))
    def waits(self, batch: GrantBatch) -> str:
        waiting = batch.grants.filter(state=Grant.State.PROPOSED).count()
        return f"{waiting:,} / {batch.grants.count():,}"

    @admin.display(description=_("On approval"))
    def opens(self, batch: GrantBatch) -> SafeString:
        return difference_shown(on_approval(*grant_files.proposed_of(batch)))

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path(
                "<path:object_id>/approve/", wrap(self.approve), name="partners_grantbatch_approve"
            ),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """GET: choose a file. POST: its errors or what it would open; then, confirmed, proposed."""
        if not (self.has_add_permission(request) and staff(request).has_perm("partners.add_grant")):
            raise PermissionDenied
        form = FileForm(request.POST or None, request.FILES or None)
        shown: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            text, name = form.cleaned_data["text"], form.cleaned_data["name"]
            found = grant_files.read(text)
            if not found.problems and "propose" in request.POST:
                batch = grant_files.propose(text, name=name, by=staff(request), request=request)
                self.message_user(
                    request,
                    _t("Proposed. They open nothing until another person approves the file."),
                    messages.SUCCESS,
                )
                return self.back_to(batch)
            shown = {"problems": found.problems, "rows": len(found.rows), "text": text}
            if not found.problems:
                tried = grant_files.dry_run(text, by=staff(request))
                shown |= {"difference": difference_shown(tried), "name": name}
        return self.step_page(
            request,
            None,
            "admin/partners/grantbatch/add.html",
            title=_t("Propose grants by a file"),
            form=form,
            columns=grant_files.COLUMNS,
            **shown,
        )

    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET: what all of them open. POST by another person than the maker: all approved."""
        batch: GrantBatch = self.object_or_404(request, object_id)
        if not staff(request).has_perm("partners.approve_grant"):
            raise PermissionDenied
        if request.method == "POST":
            try:
                n = grant_files.approve(
                    batch, by=staff(request), seen=request.POST.get("seen", ""), request=request
                )
            except grants.GrantError as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                told = ngettext("%d grant is approved.", "%d grants are approved.", n) % n
                self.message_user(request, told, messages.SUCCESS)
            return self.back_to(batch)
        waiting = grant_files.proposed_of(batch)
        return self.step_page(
            request,
            batch,
            "admin/partners/grantbatch/approve.html",
            title=_t("Approve the grants of a file"),
            difference=difference_shown(on_approval(*waiting)),
            seen=grant_files.digest(waiting),
            waiting=waiting,
            is_maker=batch.made_by_id == staff(request).pk,
        )
