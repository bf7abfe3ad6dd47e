"""What a change opens and closes, as staff read it, and a page that asks before it is saved."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.contrib.messages.storage.base import BaseStorage
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t

from engagement.models import Title
from engagement.scope import EVER
from partners import territories
from partners.admin.base import AuditedAdmin
from partners.admin.choices import EXIT_NAMES, FAMILY_NAMES
from partners.blocks import BEGINNING, NO_END, Difference, Piece, Reach
from partners.difference import of_trial
from partners.models import Partner


def difference_shown(difference: Difference) -> SafeString:
    """Two tables: what opens, what closes; a sentence where it is nothing."""
    return render_to_string(
        "admin/partners/_difference.html",
        {"opens": rows_of(difference.opens), "closes": rows_of(difference.closes)},
    )


def rows_of(pieces: Iterable[Piece]) -> list[dict[str, Any]]:
    """Pieces in words, for the tables of the staff's pages."""
    pieces = list(pieces)
    titles = Title.objects.in_bulk({p.title_id for p in pieces})
    partners = Partner.objects.in_bulk({p.partner_id for p in pieces})
    return [
        {
            "partner": partners[p.partner_id],
            "title": titles[p.title_id],
            "families": [(f, FAMILY_NAMES.get(f, f)) for f in p.families],
            "territories": [(t, territories.name(t)) for t in p.territories],
            "exits": [(e, EXIT_NAMES.get(e, e)) for e in p.exits],
            "since": None if p.box.window.since == EVER.since else p.box.window.since,
            "until": None if p.box.window.until == EVER.until else p.box.window.until,
            "valid_from": _moment(p.box.valid_from),
            "valid_until": _moment(p.box.valid_until),
        }
        for p in pieces
    ]


def _moment(at: datetime) -> datetime | None:
    return None if at in (BEGINNING, NO_END) else at


def digest(difference: Difference) -> str:
    """What was shown, in one word: the confirmation is of this and no other."""
    return hashlib.sha256(repr(difference).encode()).hexdigest()


def is_confirmed(request: HttpRequest, difference: Difference) -> bool:
    return request.POST.get("_seen") == digest(difference)


def confirm_page(
    page: AuditedAdmin,
    request: HttpRequest,
    difference: Difference,
    obj: Any = None,
    *,
    waits: bool = False,
) -> HttpResponse:
    """The difference, and a form that sends what was sent again, with what was seen.

    `waits` where what opens takes a second person.
    """
    sent = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in ("_seen", "csrfmiddlewaretoken")
        for value in values
    ]
    return page.step_page(
        request,
        obj,
        "admin/partners/confirm.html",
        title=_t("What this change opens and closes"),
        difference=difference_shown(difference),
        seen=digest(difference),
        sent=sent,
        waits=waits and bool(difference.opens),
    )


class _Unsaid(BaseStorage):
    """Messages of a trial, which nobody is to read."""

    def _get(self, *args: Any, **kwargs: Any) -> tuple[list[Any], bool]:
        return [], True

    def _store(self, messages: Any, response: Any, *args: Any, **kwargs: Any) -> list[Any]:
        return []


class AsksBeforeSaving(AuditedAdmin):
    """A change that opens or closes something is shown first and saved when confirmed.

    The change is made, compared and undone; what it would do stands on a page that sends the
    same form again with what was seen. Where that has come to differ, it is shown anew.
    """

    opens_by_two = False
    """Whether what a change opens is only proposed by it."""

    def compared(self, request: HttpRequest, object_id: str | None) -> Callable[[], Reach]:
        """What reads the state before and after. An object that is added has no id yet."""
        raise NotImplementedError

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        view = super().changeform_view
        return self._asked(
            request, object_id, lambda: view(request, object_id, form_url, extra_context)
        )

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        view = super().delete_view
        return self._asked(request, object_id, lambda: view(request, object_id, extra_context))

    def _asked(
        self, request: HttpRequest, object_id: str | None, save: Callable[[], HttpResponse]
    ) -> HttpResponse:
        if request.method != "POST":
            return save()
        told, request._messages = request._messages, _Unsaid(request)  # type: ignore[attr-defined]
        difference = of_trial(save, self.compared(request, object_id))
        request._messages = told  # type: ignore[attr-defined]
        if not difference or is_confirmed(request, difference):
            return save()
        return confirm_page(self, request, difference, waits=self.opens_by_two)
