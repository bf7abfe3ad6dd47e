"""The catalogue, and changes of it that wait for a second person.

Titles come in by `manage.py ingest`; of a title only the word in its address is the staff's.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from engagement.admin_pages import listed
from engagement.models import Title, TitleChange
from partners import territories, title_changes
from partners.admin.base import AuditedAdmin, staff
from partners.admin.comparison import difference_shown
from partners.admin.filters import TypedPartner
from partners.models import Holding
from partners.staff_limits import visible


class HoldingInline(admin.TabularInline):
    """Whose the title is; changed on the holdings' own page."""

    model = Holding
    fields = readonly_fields = ("partner", "where", "from_day", "until")
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("territories"))
    def where(self, holding: Holding) -> str:
        return listed(territories.name(t) for t in holding.territories)


@admin.register(Title)
class TitleAdmin(AuditedAdmin):
    audit_subject = "title"
    list_display = (
        "slug", "name_zh", "name_en", "kind", "parent", "runtime", "released_on", "holders",
        "sample",
    )  # fmt: skip
    list_filter = ("kind", "sample", ("holdings__partner", TypedPartner))
    list_select_related = ("parent",)
    search_fields = ("slug", "name_zh", "name_en", "key")
    fields = (
        "slug", "name_zh", "name_en", "kind", "parent", "cut_of", "runtime", "released_on",
        "tagged", "key", "sample",
    )  # fmt: skip
    readonly_fields = (
        "name_zh", "name_en", "kind", "parent", "cut_of", "runtime", "released_on",
        "tagged", "key", "sample",
    )  # fmt: skip
    inlines = (HoldingInline,)
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Title]:
        shown = visible(Holding.objects.select_related("partner"), request)
        return super().get_queryset(request).prefetch_related(Prefetch("holdings", shown))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("runtime"), ordering="runtime_s")
    def runtime(self, title: Title) -> str:
        hours, rest = divmod(title.runtime_s, 3600)
        return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if title.runtime_s else "–"

    @admin.display(description=_("held by"))
    def holders(self, title: Title) -> str:
        return listed(sorted({str(h.partner) for h in title.holdings.all()}))

    @admin.display(description=_("tags"))
    def tagged(self, title: Title) -> str:
        return listed(f"{t.get_kind_display()}: {t.name}" for t in title.tags.all())


@admin.register(TitleChange)
class TitleChangeAdmin(AuditedAdmin):
    audit_subject = "title_change"
    change_form_template = "admin/partners/titlechange/change_form.html"
    list_display = ("title", "now", "asked", "source", "asked_at", "decision")
    list_filter = (("decided_at", admin.EmptyFieldListFilter), "accepted", "asked_at")
    list_select_related = ("title", "title__parent", "parent", "source")
    search_fields = ("title__slug", "title__name_zh", "title__name_en")
    fields = ("title", "now", "asked", "source", "asked_at", "decision", "decided_at")
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it is decided, on a page of its own, never edited

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("now"))
    def now(self, change: TitleChange) -> str:
        return _place(change.title.get_kind_display(), change.title.parent)

    @admin.display(description=_("asked for"))
    def asked(self, change: TitleChange) -> str:
        return _place(change.get_kind_display(), change.parent)

    @admin.display(description=_("decision"))
    def decision(self, change: TitleChange) -> str:
        if change.decided_at is None:
            return _t("waiting")
        return _t("accepted") if change.accepted else _t("refused")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path(
                "<path:object_id>/decide/",
                wrap(self.decide),
                name="engagement_titlechange_decide",
            ),
            *super().get_urls(),
        ]

    def decide(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET: who gains and who loses. POST: accepted or refused."""
        change: TitleChange = self.object_or_404(request, object_id)
        if not staff(request).has_perm("engagement.change_titlechange"):
            raise PermissionDenied
        steps = {"accept": title_changes.accept, "refuse": title_changes.refuse}
        step = next((steps[name] for name in steps if name in request.POST), None)
        if step is not None:
            try:
                step(change, by=staff(request), request=request)
            except title_changes.TitleChangeError as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.message_user(request, _t("Decided."), messages.SUCCESS)
            return self.back_to(change)
        waits = change.decided_at is None
        effects = title_changes.effects(change) if waits else []
        return self.step_page(
            request,
            change,
            "admin/partners/titlechange/decide.html",
            title=_t("Decide a title change"),
            now=self.now(change),
            asked=self.asked(change),
            gains=[e for e in effects if e.gains],
            losses=[e for e in effects if not e.gains],
            difference=difference_shown(title_changes.difference(change)) if waits else "",
        )


def _place(kind: str, parent: Title | None) -> str:
    return f"{kind}, {_t('part of')} {parent}" if parent else kind
