"""What came in and what was published from it: sources, their rejects, releases, ingests.

Written by `manage.py ingest`; staff read. Titles are in partners/admin/titles.py, because
staff look at them together with whose they are.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from engagement.admin_pages import ReadOnlyAdmin, lines, pairs
from engagement.models import Ingest, Rejected, Release, Source


class RejectedInline(admin.TabularInline):
    """Refused rows by reason, with examples to find them by."""

    model = Rejected
    fields = readonly_fields = ("reason", "number", "shown")
    ordering = ("-rows",)
    extra = 0
    can_delete = False
    verbose_name_plural = _("rejected rows")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("engagement.view_source")

    @admin.display(description=_("rows"))
    def number(self, rejected: Rejected) -> str:
        return f"{rejected.rows:,}"

    @admin.display(description=_("examples"))
    def shown(self, rejected: Rejected) -> SafeString:
        return lines(_example(e) for e in rejected.examples)


def _example(example: object) -> str:
    if isinstance(example, dict) and "line" in example:
        return _("line %(line)s: %(why)s") % {
            "line": example["line"],
            "why": example.get("why", ""),
        }
    return str(example)


@admin.register(Source)
class SourceAdmin(ReadOnlyAdmin):
    list_display = ("name", "kind", "state", "landed_at", "read", "kept", "refused", "sample")
    list_filter = (
        "state",
        "kind",
        "format",
        "sample",
        "landed_at",
        ("ingest", admin.RelatedOnlyFieldListFilter),
    )
    search_fields = ("name", "sha256")
    fields = (
        "name",
        "state",
        "why",
        ("kind", "format"),
        "given",
        ("read", "kept", "refused"),
        "size",
        "sha256",
        "landed_at",
        "ingest",
        "published",
        "sample",
    )
    inlines = (RejectedInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        rows: QuerySet[Source] = super().get_queryset(request)
        return rows.annotate(refused_rows=Sum("rejected__rows"))

    @admin.display(description=_("rows read"), ordering="rows_read")
    def read(self, source: Source) -> str:
        return f"{source.rows_read:,}"

    @admin.display(description=_("rows kept"), ordering="rows_kept")
    def kept(self, source: Source) -> str:
        return f"{source.rows_kept:,}"

    @admin.display(description=_("rows rejected"), ordering="refused_rows")
    def refused(self, source: Any) -> str:
        return f"{source.refused_rows or 0:,}"

    @admin.display(description=_("size"))
    def size(self, source: Source) -> str:
        return filesizeformat(source.size_bytes)

    @admin.display(description=_("why quarantined"))
    def why(self, source: Source) -> SafeString | str:
        if not source.problem:
            return self.get_empty_value_display()
        return format_html('<div class="problem">{}</div>', lines(source.problem.splitlines()))

    @admin.display(description=_("options"))
    def given(self, source: Source) -> SafeString:
        return pairs(source.options)

    @admin.display(description=_("releases"))
    def published(self, source: Source) -> SafeString | str:
        releases = source.releases.select_related("title").order_by("-started_at")[:50]
        return _links("admin:engagement_release_change", releases) or "–"


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
    list_display = ("title", "kind", "day", "state", "number", "waiting", "done_at")
    list_filter = ("state", "kind", "day")
    list_select_related = ("title",)
    search_fields = ("title__slug", "title__name_zh", "title__name_en", "title__key")
    date_hierarchy = "day"
    show_full_result_count = False
    fields = (
        "title",
        ("kind", "day"),
        "state",
        ("started_at", "done_at"),
        "number",
        "waiting",
        "refused",
        "made_from",
        ("engine", "metric_version"),
        "input_digest",
        "ingest",
    )

    @admin.display(description=_("rows"), ordering="rows")
    def number(self, release: Release) -> str:
        return f"{release.rows:,}"

    @admin.display(description=_("viewers waiting"), ordering="waiting_viewers")
    def waiting(self, release: Release) -> str:
        return f"{release.waiting_viewers:,}"

    @admin.display(description=_("rows rejected"))
    def refused(self, release: Release) -> SafeString:
        return pairs(release.rejected)

    @admin.display(description=_("sources"))
    def made_from(self, release: Release) -> SafeString | str:
        return _links("admin:engagement_source_change", release.sources.all()[:50]) or "–"


@admin.register(Ingest)
class IngestAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "finished_at", "files")
    date_hierarchy = "started_at"
    fields = ("started_at", "finished_at", "told", "files")

    @admin.display(description=_("sources"))
    def files(self, ingest: Ingest) -> SafeString:
        return format_html(
            '<a href="{}?ingest__id__exact={}">{}</a>',
            reverse("admin:engagement_source_changelist"),
            ingest.pk,
            ingest.sources.count(),
        )

    @admin.display(description=_("summary"))
    def told(self, ingest: Ingest) -> SafeString:
        return pairs(ingest.summary)


def _links(view: str, rows: Any) -> SafeString:
    return format_html_join(
        "",
        '<p class="line"><a href="{}">{}</a></p>',
        ((reverse(view, args=[r.pk]), r) for r in rows),
    )
