"""The delivery ledger over REST; reports/ledger.py says who reads which line of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.paginator import EmptyPage, Paginator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from partners.models import Membership
from portal.api.errors import BadParameter, ExportNotGranted
from portal.api.parameters import refuse_unknown
from portal.api.reports import is_for_bundles
from portal.api.serializers import DeliveryList, DeliveryShape
from portal.api.views import PartnerView
from portal.reads import list_read
from reports.ledger import Line, State, line_for, lines_of

A_PAGE = 100
_PARAMETERS = [
    OpenApiParameter("schedule", OpenApiTypes.UUID, description="Those of one schedule."),
    OpenApiParameter("state", str, enum=State.values),
    OpenApiParameter("page", int, description="From 1; the `next` of the page before."),
]


class Deliveries(PartnerView):
    has_parameters = True

    @extend_schema(
        operation_id="deliveries_list",
        responses=DeliveryList,
        parameters=_PARAMETERS,
        summary="What became of each report, one line for each recipient, the newest first",
    )
    def get(self, request: Request, partner: str) -> Response:
        membership = _reader(self.membership(request))
        lines, following = _asked(membership, request.query_params.dict())
        list_read(request._request, membership, "deliveries")
        return Response({"deliveries": [_line_json(line) for line in lines], "next": following})


class OneDelivery(PartnerView):
    @extend_schema(
        operation_id="deliveries_get",
        responses=DeliveryShape,
        summary="What became of one bundle",
    )
    def get(self, request: Request, partner: str, id: UUID) -> Response:
        membership = _reader(self.membership(request))
        line = line_for(membership, id)
        list_read(request._request, membership, f"deliveries/{id}")
        return Response(_line_json(line))


def _reader(membership: Membership) -> Membership:
    if not is_for_bundles(membership):
        raise ExportNotGranted
    return membership


def _asked(membership: Membership, asked: dict[str, str]) -> tuple[list[Line], int | None]:
    refuse_unknown(asked, {"schedule", "state", "page"})
    state = asked.get("state")
    if state is not None and state not in State.values:
        raise BadParameter("state is none of those that there are")
    try:
        schedule = UUID(asked["schedule"]) if "schedule" in asked else None
        number = int(asked.get("page", "1"))
    except ValueError:
        raise BadParameter("schedule is an id, page a number") from None
    lines = lines_of(membership, schedule_id=schedule)
    try:
        page = Paginator([x for x in lines if state in (None, x.state)], A_PAGE).page(number)
    except EmptyPage:
        raise BadParameter("there is no such page") from None
    return list(page), number + 1 if page.has_next() else None


def _line_json(line: Line) -> dict[str, Any]:
    return {
        "id": str(line.bundle.pk) if line.bundle else None,
        "schedule": str(line.schedule.pk) if line.schedule else None,
        "name": line.schedule.name if line.schedule else "",
        "from": line.window.since.isoformat(),
        "until": line.window.until.isoformat(),
        "recipient": line.recipient.user.email,
        "state": line.state.value,
        "at": line.at,
        "attempts": line.attempts,
        "reason": str(line.reason),
        "advice": str(line.advice),
    }
