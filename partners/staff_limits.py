"""What every page of the admin keeps to, whoever wrote it.

The site puts `LimitedAdmin` in front of each page that is registered (portal/admin_site.py), so
that nobody has to remember it: staff who are limited to some partners find those partners' rows
alone, in lists, choices, inlines and steps; a list is filtered by what it offers and nothing
else; and no list counts more rows than a person pages through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.core.exceptions import FieldDoesNotExist
from django.core.paginator import Paginator
from django.db.models import ForeignKey, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from partners.models import Grant, Holding, Membership, Partner, User

M = TypeVar("M", bound=Model)
Rule = Callable[[User, list[UUID]], Q]


def _titles(partners: list[UUID]) -> Q:
    held = Holding.objects.filter(partner__in=partners).values("title")
    granted = Grant.titles.through.objects.filter(grant__partner__in=partners).values("title")
    return Q(pk__in=held) | Q(pk__in=granted)


def _user(user: User, partners: list[UUID]) -> Q:
    members = Membership.objects.filter(partner__in=partners).values("user")
    return Q(pk=user.pk) | Q(pk__in=members)


# What has no rule here and no partner of its own is not shown to limited staff at all: it speaks
# of every partner (a title's new place, a fan set, a landed file).
_RULES: dict[str, Rule] = {
    "partners.partner": lambda user, partners: Q(pk__in=partners),
    "partners.consent": lambda user, partners: Q(partner__in=partners, given_to__in=partners),
    "partners.auditevent": lambda user, partners: Q(partner__in=partners) | Q(actor=user),
    "partners.user": _user,
    "engagement.title": lambda user, partners: _titles(partners),
}


def _rule(model: type[Model]) -> Rule | None:
    known = _RULES.get(model._meta.label_lower)
    if known is not None:
        return known
    try:
        field = model._meta.get_field("partner")
    except FieldDoesNotExist:
        return None
    if isinstance(field, ForeignKey) and field.related_model is Partner:
        return lambda user, partners: Q(partner__in=partners)
    return None


def limit_of(request: HttpRequest) -> list[UUID] | None:
    """The partners that the signed-in staff is limited to; None for all."""
    return getattr(request.user, "limit_partners", None)


def visible(rows: QuerySet[M], request: HttpRequest) -> QuerySet[M]:
    """Those of `rows` that the signed-in staff may see: all, or those of their partners."""
    limit = limit_of(request)
    if limit is None:
        return rows
    rule = _rule(rows.model)
    if rule is None or not isinstance(request.user, User):
        return rows.none()
    return rows.filter(rule(request.user, limit))


class BoundedPaginator(Paginator):
    """Counts at most MOST rows and one: beyond that a search finds what paging does not."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by().values("pk")[: self.MOST + 1].count()
        return len(rows)


def _by_relation(fields: Iterable[str]) -> dict[str, list[str]]:
    """`partner__slug`, `partner__name_zh` and `address` as {partner: [slug, name_zh], "": ...}."""
    found: dict[str, list[str]] = {}
    for field in fields:
        relation, _, name = field.rpartition("__")
        found.setdefault(relation, []).append(name)
    return found


def _holding(model: type[Model], relation: str, names: list[str], word: str) -> Q:
    """Rows of `model` of which the related row holds the word in one of these fields."""
    holds = Q()
    for name in names:
        holds |= Q(**{f"{name}__icontains": word})
    if not relation:
        return holds
    first, _, rest = relation.partition("__")
    field: Any = model._meta.get_field(first)
    rows = field.related_model._base_manager.filter(
        _holding(field.related_model, rest, names, word)
    ).values("pk")
    if not field.many_to_many:
        return Q(**{f"{first}__in": rows})
    through = field.remote_field.through._base_manager
    return Q(
        pk__in=through.filter(**{f"{field.m2m_reverse_field_name()}__in": rows}).values(
            field.m2m_field_name()
        )
    )


# A filter asks for a field by one of these; anything else would be a question of its own, and
# the length of its answer would be telling (`password__startswith=...`).
_ASKED_BY = frozenset(
    {"", "exact", "in", "isnull", "isempty", "gte", "gt", "lt", "lte", "year", "month", "day"}
    | {"id__exact", "slug"}
)


class LimitedRows:
    """Rows and choices of a page or an inline, for whoever is signed in."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return visible(super().get_queryset(request), request)  # type: ignore[misc]

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> Any:
        """What a form offers, and takes: a forged key is checked against the same rows."""
        rows = super().get_field_queryset(db, db_field, request)  # type: ignore[misc]
        if limit_of(request) is None:
            return rows
        if rows is None:
            rows = db_field.remote_field.model._default_manager.using(db)
        return visible(rows.all(), request)


@cache
def _limited_inline(inline: type[InlineModelAdmin]) -> type[InlineModelAdmin]:
    return type(inline.__name__, (LimitedRows, inline), {"__module__": inline.__module__})


class LimitedAdmin(LimitedRows, admin.ModelAdmin):
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # a count of all rows for each choice of each filter

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[type[InlineModelAdmin]]:
        return [_limited_inline(inline) for inline in super().get_inlines(request, obj)]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Rows that hold every word in one of the fields searched.

        Django joins all the tables and then looks at what came of it; here each table is searched
        by itself and its rows found by key, which also leaves no row twice.
        """
        for word in search_term.split():
            found = Q()
            for relation, names in _by_relation(self.get_search_fields(request)).items():
                found |= _holding(self.model, relation, names, word)
            queryset = queryset.filter(found)
        return queryset, False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        assert request is not None
        return any(
            lookup == path or lookup.removeprefix(f"{path}__") in _ASKED_BY
            for path in self._filtered_by(request)
        )

    def _filtered_by(self, request: HttpRequest) -> Iterable[str]:
        offered: Any
        for offered in self.get_list_filter(request):
            if isinstance(offered, str):
                yield offered
            elif isinstance(offered, (list, tuple)):
                yield str(offered[0])
            elif issubclass(offered, admin.SimpleListFilter):
                yield str(offered.parameter_name)
        if self.date_hierarchy:
            yield self.date_hierarchy
        yield from getattr(self, "followed", ())  # see engagement/admin_pages.py

    # -- what limited staff may not look at at all ------------------------------------------

    def _speaks_of_all(self, request: HttpRequest) -> bool:
        return limit_of(request) is not None and _rule(self.model) is None

    def has_module_permission(self, request: HttpRequest) -> bool:
        return not self._speaks_of_all(request) and super().has_module_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not self._speaks_of_all(request) and super().has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not self._speaks_of_all(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not self._speaks_of_all(request) and super().has_delete_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A new partner would be outside the limit of who adds it."""
        if limit_of(request) is not None and (
            self.model is Partner or self._speaks_of_all(request)
        ):
            return False
        return super().has_add_permission(request)


@cache
def limited(page: type[admin.ModelAdmin]) -> type[admin.ModelAdmin]:
    """The page with LimitedAdmin before it."""
    return type(page.__name__, (LimitedAdmin, page), {"__module__": page.__module__})
