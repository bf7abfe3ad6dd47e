"""The own organisation's audit trail over REST; partners/activity.py says what of it is told."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from engagement.scope import day_of
from partners.activity import STAFF, Entry, Wanted, activity_of, record_of
from partners.audit import SHOWN_TO_PARTNERS
from partners.models import Membership
from portal.api.errors import BadParameter
from portal.api.parameters import refuse_unknown
from portal.api.serializers import ActivityList
from portal.api.views import PartnerView
from portal.reads import list_read

A_PAGE = 200
_PARAMETERS = [
    OpenApiParameter("who", str, description="A person's id, or `staff`."),
    OpenApiParameter("action", str, enum=sorted(SHOWN_TO_PARTNERS)),
    OpenApiParameter("day", OpenApiTypes.DATE, description="In the platform's zone."),
    OpenApiParameter("before", OpenApiTypes.UUID, description="The `next` of the page before."),
]


class Activity(PartnerView):
    has_parameters = True

    @extend_schema(
        operation_id="activity_list",
        responses=ActivityList,
        parameters=_PARAMETERS,
        summary="Who did what of the organisation, the platform's staff too; for owners",
    )
    def get(self, request: Request, partner: str) -> Response:
        membership = self.membership(request)
        wanted = _wanted(membership, request.query_params.dict())
        entries, rest = activity_of(membership, wanted, most=A_PAGE)
        list_read(request._request, membership, "activity")
        return Response({"activity": [_entry_json(entry) for entry in entries], "next": rest})


def _wanted(membership: Membership, parameters: dict[str, str]) -> Wanted:
    refuse_unknown(parameters, {"who", "action", "day", "before"})
    who, action = parameters.get("who", ""), parameters.get("action", "")
    before = parameters.get("before")
    if action and action not in SHOWN_TO_PARTNERS:
        raise BadParameter("action is none of those that are told")
    try:
        return Wanted(
            person=UUID(who) if who and who != STAFF else None,
            staff=who == STAFF,
            action=action,
            day=day_of(parameters["day"]) if "day" in parameters else None,
            before=None if before is None else record_of(membership, UUID(before)),
        )
    except ValueError as error:
        raise BadParameter(str(error)) from None


def _who(entry: Entry) -> str:
    if entry.staff:
        return "staff"
    if entry.person:
        return "member"
    return "unknown" if entry.unknown else "portal"


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.at,
        "who": _who(entry),
        "name": entry.name,
        "email": entry.person,
        "action": entry.action,
        "target": entry.target,
        "detail": dict(entry.detail),
        "ip": entry.ip,
    }
