"""The reports page: bundles asked for and received, their progress, and their file."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
    require_safe,
)

from engagement.models import Title
from engagement.scope import Scope, Window
from partners.access import scope_for
from partners.models import Membership
from portal.files import bundle_response
from portal.reads import list_read
from portal.web.doors import may_order, partner_page
from portal.web.windows import recent
from reports.cadence import next_due
from reports.downloads import bundle_for, bundles_of, is_downloadable, mark_opened
from reports.ledger import line_of
from reports.models import FORMATS, PAPERS, REPORT_LANGUAGES, Bundle, Job
from reports.plan import EXIT, CannotAsk, ask_bundle, cancel_bundle
from reports.schedules import schedules_of

BUNDLES_A_PAGE = 20


class AskForm(forms.Form):
    """What a bundle is to hold. The titles offered are those that may leave as a file."""

    titles = forms.MultipleChoiceField(
        label=_("Titles"), widget=forms.CheckboxSelectMultiple, error_messages={
            "required": _("Choose at least one title."),
        },
    )  # fmt: skip
    since = forms.DateField(label=_("From"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    until = forms.DateField(
        label=_("Until (this day not counted)"),
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
    )
    language = forms.ChoiceField(label=_("Language"), choices=REPORT_LANGUAGES)
    formats = forms.MultipleChoiceField(
        label=_("Also as"),
        choices=FORMATS,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("Beside the PDF and the CSV files, which every bundle has."),
    )
    paper = forms.ChoiceField(label=_("Paper"), choices=PAPERS, required=False)

    def __init__(self, *args: Any, titles: list[Title], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["titles"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(str(t.pk), t.name) for t in titles]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since >= until:
            self.add_error("until", _("The end is after the first day."))
        return cleaned


@partner_page
@require_http_methods(["GET", "HEAD", "POST"])
def reports(request: HttpRequest, membership: Membership) -> HttpResponse:
    scope = scope_for(membership, EXIT)
    titles = titles_of(scope)
    form = AskForm(
        request.POST if request.method == "POST" else None,
        titles=titles,
        initial=_initial(request, titles),
    )
    if request.method == "POST" and form.is_valid():
        try:
            bundle = _ask(request, membership, form)
        except CannotAsk as problem:
            form.add_error(None, str(problem))
        else:
            messages.success(
                request, _("The bundle is being made. A mail follows when it is done.")
            )
            return redirect("report", partner=membership.partner.slug, id=bundle.pk)
    list_read(request, membership, "bundles")
    page = Paginator(bundles_of(membership), BUNDLES_A_PAGE).get_page(request.GET.get("page"))
    entries = described(membership, page.object_list)
    return render(
        request,
        "partner/reports.html",
        {
            "form": form if may_order(membership) and titles else None,
            "asked_of": titles,
            "sample": any(t.sample for t in titles),
            "may_order": may_order(membership),
            "page": page,
            "bundles": entries,
            "others": [entry for entry in entries if not entry["own"]],
            "schedules": [(schedule, next_due(schedule)) for schedule in schedules_of(membership)],
        },
    )


@partner_page
@require_GET
def report(request: HttpRequest, membership: Membership, id: UUID) -> HttpResponse:
    """One bundle. The link of a mail comes here: sign-in first, then the grant again."""
    [entry] = described(membership, [bundle_for(membership, id)])
    titles = titles_of(scope_for(membership, "web", entry["bundle"].titles))
    list_read(request, membership, f"bundles/{id}")
    mark_opened(membership, id)
    context = {"entry": entry, "sample": any(t.sample for t in titles)}
    return render(request, "partner/report.html", context)


@partner_page
@require_GET
def progress(request: HttpRequest, membership: Membership, id: UUID) -> HttpResponse:
    """The part of a page that htmx asks for every two seconds while the bundle is made."""
    [entry] = described(membership, [bundle_for(membership, id)])
    return render(request, "partner/_bundle.html", {"entry": entry})


@partner_page
@require_POST
def cancel(request: HttpRequest, membership: Membership, id: UUID) -> HttpResponse:
    """Stop a bundle that is still being made."""
    bundle = bundle_for(membership, id)
    if cancel_bundle(membership=membership, bundle=bundle, request=request):
        messages.success(request, _("The bundle is cancelled."))
    else:
        messages.info(request, _("There was nothing left to cancel."))
    return redirect("report", partner=membership.partner.slug, id=bundle.pk)


@partner_page
@require_safe
def download(request: HttpRequest, membership: Membership, id: UUID) -> HttpResponseBase:
    return bundle_response(request, membership, id)


def titles_of(scope: Scope) -> list[Title]:
    """The titles of a scope, a series before its episodes."""
    return sorted(
        Title.objects.filter(pk__in=scope.titles()).select_related("parent"),
        key=lambda t: ((t.parent or t).slug, t.parent is not None, t.slug),
    )


def described(membership: Membership, bundles: Any) -> list[dict[str, Any]]:
    """Each bundle with the names of its titles and what may be done with it."""
    ids = {pk for b in bundles for pk in b.titles or ()}
    if ids:  # a wish may outlive the grant, or name what the recipient's limit leaves out
        ids &= scope_for(membership, EXIT, ids, delivered=True).titles()
    names = {t.pk: t.name for t in Title.objects.filter(pk__in=ids)}
    return [
        {
            "bundle": bundle,
            "titles": [names[pk] for pk in bundle.titles or () if pk in names],
            "window": Window(bundle.from_day, bundle.until),
            "formats": [label for name, label in FORMATS if name in bundle.formats],
            "downloadable": is_downloadable(bundle),
            "own": bundle.recipient_id == membership.pk,
            "new": bundle.recipient_id == membership.pk
            and bundle.opened_at is None
            and is_downloadable(bundle),
            "mail": line_of(bundle) if is_downloadable(bundle) else None,
            "cancellable": bundle.recipient_id == membership.pk
            and bundle.state in (Job.State.QUEUED, Job.State.RUNNING)
            and may_order(membership),
        }
        for bundle in bundles
    ]


def _initial(request: HttpRequest, titles: list[Title]) -> dict[str, Any]:
    window = recent()
    slug = request.GET.get("title", "")
    return {
        "titles": [str(t.pk) for t in titles if t.slug == slug],
        "since": window.since,
        "until": window.until,
        "language": get_language() or "zh-hans",
    }


def _ask(request: HttpRequest, membership: Membership, form: AskForm) -> Bundle:
    asked = form.cleaned_data
    return ask_bundle(
        membership=membership,
        titles=[int(pk) for pk in asked["titles"]],
        window=Window(asked["since"], asked["until"]),
        language=asked["language"],
        formats=asked["formats"],
        paper=asked["paper"] or "a4",
        request=request,
    )
