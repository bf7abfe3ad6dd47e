"""The REST endpoints: the same query values and the same `run` as every other exit.

JSON by session is the `web` exit, by token `api`; a file answer (CSV) is `export`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from engagement import query
from engagement.families import Result
from engagement.scope import Refused, Scope
from partners.access import scope_for, title_for
from partners.models import Membership
from portal.api.errors import BodyTooLarge, ExportNotGranted, block
from portal.api.parameters import MOST_ROWS, query_from, refuse_unknown
from portal.api.serializers import ChangeList, ReleaseList, ResourceAnswer, TitleList
from portal.files import csv_response
from portal.reads import list_read, numbers_read

_GRAIN = f"Of curves. By day an answer has at most {MOST_ROWS} rows, else it is refused."
_PARAMETERS = [
    OpenApiParameter("from", OpenApiTypes.DATE, description="First day. Default: all measured."),
    OpenApiParameter("until", OpenApiTypes.DATE, description="The day after the last."),
    OpenApiParameter("territory", str, description="ISO 3166-1, or *. Default: all granted."),
    OpenApiParameter("grain", str, enum=["window", "day"], description=_GRAIN),
    OpenApiParameter("clip", int, enum=[0, 1], description="1: answer what is granted of it."),
    OpenApiParameter("from_second", int, description="Of danmu_comments: first second."),
    OpenApiParameter("until_second", int, description="Of danmu_comments: second after the last."),
]


class CSVRenderer(BaseRenderer):
    """Only names the media type: the view writes the file itself."""

    media_type = "text/csv"
    format = "csv"
    charset = None
    render_style = "binary"

    def render(self, data: Any, accepted: Any = None, context: Any = None) -> bytes:
        raise NotImplementedError("the view answers with the file")


class PartnerView(APIView):
    """A URL of one partner; portal/web/middleware.py has let the member in.

    It takes no parameters; one that does says so, and checks them once it knows who asks.
    """

    has_parameters = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Django's own limit is of forms: the framework reads JSON past it, whole into memory
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise BodyTooLarge
        super().initial(request, *args, **kwargs)
        if not self.has_parameters:
            refuse_unknown(request.query_params.dict())

    def membership(self, request: Request) -> Membership:
        membership = getattr(request._request, "membership", None)
        if not isinstance(membership, Membership):
            raise Refused
        return membership

    def scope(self, request: Request) -> Scope:
        """What may be read as JSON by whoever asks."""
        membership = self.membership(request)
        return scope_for(membership, "web" if membership.credential is None else "api")


class Titles(PartnerView):
    @extend_schema(
        operation_id="titles_list", responses=TitleList, summary="The titles granted to the partner"
    )
    def get(self, request: Request, partner: str) -> Response:
        scope = self.scope(request)
        list_read(request._request, self.membership(request), "titles")
        return Response({"titles": [title_json(scope, pk) for pk in query.titles_in(scope)]})


class Title(PartnerView):
    @extend_schema(operation_id="titles_get", responses=TitleList, summary="One title")
    def get(self, request: Request, partner: str, slug: str) -> Response:
        scope = self.scope(request)
        title = title_for(scope, slug)
        list_read(request._request, self.membership(request), f"titles/{title.slug}")
        return Response({"titles": [title_json(scope, title)]})


class Resource(PartnerView):
    has_parameters = True
    renderer_classes = [JSONRenderer, CSVRenderer]

    @extend_schema(
        operation_id="resources_get",
        responses={(200, "application/json"): ResourceAnswer, (200, "text/csv"): OpenApiTypes.STR},
        parameters=_PARAMETERS,
        summary="One resource of a family of a title",
    )
    def get(self, request: Request, partner: str, slug: str, resource: str) -> HttpResponse:
        membership = self.membership(request)
        as_csv = request.accepted_renderer.format == "csv"
        scope = self.scope(request)
        title = title_for(scope, slug)
        if as_csv:
            scope = self._export_scope(membership, scope, title.pk, resource)
        asked, named = query_from(request.query_params.dict(), scope, title.pk, resource)
        result = query.run(asked if named else query.clip(asked, scope) or asked, scope)
        numbers_read(
            request._request,
            membership,
            [result],
            target=f"{title.slug}/{resource}",
            window=asked.window,
            territory=asked.territory,
            action="export.csv" if as_csv else "numbers.read",
        )
        if as_csv:
            return csv_response(result, title.slug)
        return Response(result_json(membership, title, scope, result))

    def _export_scope(
        self, membership: Membership, read: Scope, title_id: int, resource: str
    ) -> Scope:
        asked = query.resource_for(resource)
        query.families_of(asked, read, title_id)
        export = scope_for(membership, "export")
        try:
            query.families_of(asked, export, title_id)
        except Refused:
            raise ExportNotGranted from None
        return export


class Releases(PartnerView):
    @extend_schema(
        operation_id="releases_list", responses=ReleaseList, summary="What the numbers were made of"
    )
    def get(self, request: Request, partner: str) -> Response:
        scope = self.scope(request)
        list_read(request._request, self.membership(request), "releases")
        return Response({"releases": query.releases(scope)})


class Changes(PartnerView):
    @extend_schema(
        operation_id="changes_list",
        responses=ChangeList,
        summary="What changed after it had settled: restatements and adjustments",
    )
    def get(self, request: Request, partner: str) -> Response:
        membership = self.membership(request)
        scope = self.scope(request)
        slugs = {title.pk: title.slug for title in query.titles_in(scope)}
        changes = [change_json(slugs[c.title_id], c) for c in query.changes(scope)]
        list_read(request._request, membership, "changes", changes=len(changes))
        return Response({"changes": changes})


def change_json(slug: str, change: query.Change) -> dict[str, Any]:
    return {
        "kind": "adjustment" if change.adjusts else "restatement",
        "title": slug,
        "family": change.family,
        "territory": change.territory,
        "from": change.window.since.isoformat(),
        "until": change.window.until.isoformat(),
        "metric": change.metric,
        "old": change.old,
        "new": change.new,
        "at": change.at,
    }


def title_json(scope: Scope, title: Any) -> dict[str, Any]:
    window = query.measured(scope, title.pk)
    granted = scope.granted_by_family(title.pk)
    through = query.data_through(window)
    return {
        "slug": title.slug,
        "kind": title.kind,
        "name_zh": title.name_zh,
        "name_en": title.name_en,
        "runtime_s": title.runtime_s,
        "released_on": title.released_on and title.released_on.isoformat(),
        "parent": title.parent.slug if title.parent_id in scope.titles() else None,
        "sample": title.sample,
        "data_from": window.since.isoformat() if window else None,
        "data_through": through.isoformat() if through else None,
        "families": {family: [block(p) for p in parts] for family, parts in granted.items()},
    }


def result_json(
    membership: Membership, title: Any, scope: Scope, result: Result
) -> Mapping[str, Any]:
    asked, resource = result.asked, result.resource
    families = query.families_of(resource, scope, title.pk)
    through = query.data_through(query.measured(scope, title.pk, families))
    day = asked.grain == "day"
    names = ("from", "until", "territory") if day else ()
    columns = (*names, *resource.column_names())
    return {
        "partner": membership.partner.slug,
        "title": {
            "slug": title.slug,
            "name_zh": title.name_zh,
            "name_en": title.name_en,
            "runtime_s": title.runtime_s,
        },
        "family": resource.family,
        "resource": resource.name,
        "asked": {
            "from": asked.window.since.isoformat(),
            "until": asked.window.until.isoformat(),
            "territory": asked.territory,
            "grain": asked.grain,
        },
        "answered": [block(p) for p in result.answered],
        "covered": [block(p) for p in result.extra.get("covered", result.answered)],
        "data_through": through.isoformat() if through else None,
        "sample": result.sample,
        "releases": list(result.releases),
        "notes": list(result.notes),
        "columns": [
            {
                "name": c.name,
                "type": c.type,
                "unit": c.unit,
                "title": dict(c.title),
                "definition": dict(c.definition),
            }
            for c in resource.columns
        ],
        "rows": [
            dict(zip(columns, values, strict=True))
            for values in zip(*(result.data[name] for name in columns), strict=True)
        ],
    }
