"""Bundles and schedules over REST. What they hold and who may open them is reports/'s business."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http.response import HttpResponseBase
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from engagement.models import Title
from engagement.scope import Refused, Window
from partners.models import Membership
from portal.api.errors import BadParameter, ExportNotGranted
from portal.api.serializers import BundleAsked, BundleList, BundleShape, RunShape, ScheduleList
from portal.api.views import PartnerView
from portal.files import bundle_response
from portal.reads import list_read
from portal.web.doors import may_order
from reports.cadence import next_due
from reports.downloads import bundle_for, bundles_of, is_downloadable
from reports.models import Bundle, Schedule
from reports.plan import CannotAsk, ask_bundle, cancel_bundle
from reports.schedules import NotValid, schedules_of, send_now


class Bundles(PartnerView):
    @extend_schema(
        operation_id="bundles_list",
        responses=BundleList,
        summary="The bundles the member may open or waits for",
    )
    def get(self, request: Request, partner: str) -> Response:
        membership = self.membership(request)
        list_read(request._request, membership, "bundles")
        return Response({"bundles": [bundle_json(membership, b) for b in bundles_of(membership)]})

    @extend_schema(
        operation_id="bundles_ask",
        request=BundleAsked,
        responses={202: BundleShape},
        summary="Ask for a bundle",
    )
    def post(self, request: Request, partner: str) -> Response:
        membership = self.membership(request)
        if not _may_ask(membership):
            raise ExportNotGranted
        asked = BundleAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        fields = asked.validated_data
        try:
            window = Window(fields["from"], fields["until"])
        except ValueError:
            raise BadParameter("until must be after from (it is the day after the last)") from None
        try:
            bundle = ask_bundle(
                membership=membership,
                titles=_ids(fields.get("titles")),
                window=window,
                language=fields["language"],
                formats=fields["formats"],
                paper=fields["paper"],
                request=request._request,
            )
        except CannotAsk as error:
            raise BadParameter(str(error)) from None
        return Response(bundle_json(membership, bundle), status=status.HTTP_202_ACCEPTED)


class OneBundle(PartnerView):
    @extend_schema(operation_id="bundles_get", responses=BundleShape, summary="One bundle")
    def get(self, request: Request, partner: str, id: UUID) -> Response:
        membership = self.membership(request)
        bundle = bundle_for(membership, id)
        list_read(request._request, membership, f"bundles/{bundle.pk}")
        return Response(bundle_json(membership, bundle))

    @extend_schema(
        operation_id="bundles_cancel",
        responses=BundleShape,
        summary="Cancel a bundle that waits or is being made",
    )
    def delete(self, request: Request, partner: str, id: UUID) -> Response:
        membership = self.membership(request)
        bundle = bundle_for(membership, id)
        if not _may_ask(membership):
            raise ExportNotGranted
        if not cancel_bundle(membership=membership, bundle=bundle, request=request._request):
            raise BadParameter("the bundle is not being made (any more)")
        bundle.refresh_from_db()
        return Response(bundle_json(membership, bundle))


class ZipRenderer(BaseRenderer):
    """Only names the media type: the view answers with the file itself."""

    media_type = "application/zip"
    format = "zip"
    charset = None
    render_style = "binary"

    def render(self, data: Any, accepted: Any = None, context: Any = None) -> bytes:
        raise NotImplementedError("the view answers with the file")


class BundleFile(PartnerView):
    """By token as by session, behind the door of the page's own download."""

    renderer_classes = [ZipRenderer, JSONRenderer]

    @extend_schema(
        operation_id="bundles_download",
        responses={
            (200, "application/zip"): OpenApiTypes.BINARY,
            (206, "application/zip"): OpenApiTypes.BINARY,
            416: OpenApiTypes.OBJECT,
        },
        summary="The file of a finished bundle, or one range of its bytes",
    )
    def get(self, request: Request, partner: str, id: UUID) -> HttpResponseBase:
        return bundle_response(request._request, self.membership(request), id)


class Schedules(PartnerView):
    @extend_schema(operation_id="schedules_list", responses=ScheduleList, summary="The schedules")
    def get(self, request: Request, partner: str) -> Response:
        membership = self.membership(request)
        schedules = schedules_of(membership)
        list_read(request._request, membership, "schedules")
        return Response({"schedules": [schedule_json(s) for s in schedules]})


class RunNow(PartnerView):
    @extend_schema(
        operation_id="schedules_run_now",
        request=None,
        responses={202: RunShape},
        summary="Send the last settled period of a schedule at once",
    )
    def post(self, request: Request, partner: str, id: UUID) -> Response:
        membership = self.membership(request)
        if not _may_ask(membership):
            raise ExportNotGranted
        try:
            run = send_now(membership=membership, schedule_id=id, request=request._request)
        except NotValid as problem:
            raise BadParameter(problem.message) from None
        told = {"id": run.pk, "period": run.period, "from": run.from_day, "until": run.until}
        return Response(told, status=status.HTTP_202_ACCEPTED)


def _may_ask(membership: Membership) -> bool:
    return is_for_bundles(membership) and may_order(membership)


def is_for_bundles(membership: Membership) -> bool:
    """A bundle holds all that its recipient may export: a token for less neither orders it nor is
    told what became of it.
    """
    token = membership.credential
    return token is None or ("export" in token.exits and token.families is None)


def bundle_json(membership: Membership, bundle: Bundle) -> dict[str, Any]:
    file = None
    if is_downloadable(bundle):
        where = {"partner": membership.partner.slug, "id": bundle.pk}
        file = {
            "url": reverse("api:bundle-file", kwargs=where),
            "name": bundle.artefact.name,
            "sha256": bundle.artefact.sha256,
            "bytes": bundle.artefact.size_bytes,
        }
    return {
        "id": str(bundle.pk),
        "state": bundle.state,
        "progress": bundle.progress,
        "problem": bundle.get_failure_display(),  # `problem` is for staff
        "from": bundle.from_day.isoformat(),
        "until": bundle.until.isoformat(),
        "language": bundle.language,
        "formats": bundle.formats,
        "paper": bundle.paper,
        "made_at": bundle.made_at,
        "file": file,
    }


def schedule_json(schedule: Schedule) -> dict[str, Any]:
    due = next_due(schedule)
    return {
        "id": str(schedule.pk),
        "name": schedule.name,
        "cadence": schedule.cadence,
        "weekday": schedule.weekday,
        "monthday": schedule.monthday,
        "hour": schedule.hour,
        "zone": schedule.zone,
        "language": schedule.language,
        "paper": schedule.paper,
        "formats": schedule.formats,
        "deadline_hours": schedule.deadline_hours,
        "skip_unchanged": schedule.skip_unchanged,
        "paused": schedule.paused_at is not None,
        "next_due": due[0] if due else None,
        "recipients": [m.user.email for m in schedule.recipients.all()],
    }


def _ids(slugs: list[str] | None) -> list[int] | None:
    """Title ids; one that does not exist is refused as one that is not granted."""
    if slugs is None:
        return None
    found = dict(Title.objects.filter(slug__in=slugs).values_list("slug", "pk"))
    if set(slugs) - set(found):
        raise Refused
    return list(found.values())
