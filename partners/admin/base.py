"""What the staff's pages share: an audit record for each change, and pages for one step.

A step (approve, revoke, invite ...) is a page of its own: GET shows what would happen and
changes nothing, POST does it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import lazy
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from partners.audit import record
from partners.models import Partner, User


def staff(request: HttpRequest) -> User:
    """The signed-in member of staff: the admin lets nobody else in."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def plain(value: object) -> Any:
    """A value as the audit trail keeps it."""
    if isinstance(value, Model):
        return str(value)
    if isinstance(value, (QuerySet, list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


def state_shown(state: str, words: str) -> SafeString:
    """`state` is one of those that admin.css colours."""
    return format_html('<span class="state state-{}">{}</span>', state, words)


def by_whom(user: User | None, at: datetime | None) -> str:
    """Who took a step and when, or a dash."""
    if user is None or at is None:
        return "–"
    return f"{user} · {timezone.localtime(at):%Y-%m-%d %H:%M}"


def _paragraphs(*texts: str) -> str:
    return format_html_join("", "<p>{}</p>", ((text,) for text in texts))


paragraphs: Callable[..., Any] = lazy(_paragraphs, str)
"""What a group of fields says above them, in the language of who reads it."""


class AuditedAdmin(admin.ModelAdmin):
    """Records `<subject>.added`, `.changed` (before and after) and `.removed`."""

    audit_subject = ""

    def partner_of(self, obj: Any) -> Partner | None:
        return obj.partner if hasattr(obj, "partner") else None

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and not form.changed_data:
            return
        after = {f: plain(form.cleaned_data.get(f)) for f in form.changed_data}
        before = {f: plain(form.initial.get(f)) for f in form.changed_data} if change else {}
        self.audit(
            request,
            "changed" if change else "added",
            obj,
            **({"before": before} if change else {}),
            after=after,
        )

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.audit(request, "removed", obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            self.delete_model(request, obj)

    def audit_target(self, obj: Any) -> str:
        """What the audit trail calls it: the same words whoever's language changes it."""
        return str(obj)

    def audit(self, request: HttpRequest, what: str, obj: Any, **detail: Any) -> None:
        record(
            f"{self.audit_subject}.{what}",
            actor=staff(request),
            partner=self.partner_of(obj),
            target=self.audit_target(obj),
            request=request,
            **detail,
        )

    # -- steps -----------------------------------------------------------------------------

    def object_or_404(self, request: HttpRequest, object_id: str) -> Any:
        """The row of a step's address, if this person may see it."""
        obj = self.get_object(request, unquote(object_id))
        if obj is None or not self.has_view_permission(request, obj):
            raise Http404
        return obj

    def step_page(
        self, request: HttpRequest, obj: Any, template: str, **context: Any
    ) -> HttpResponse:
        return TemplateResponse(
            request,
            template,
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "original": obj,
                "media": self.media,
                **context,
            },
        )

    def back_to(self, obj: Any) -> HttpResponseRedirect:
        view = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(view, args=[obj.pk]))
