"""The pages. Every URL that names a partner has passed portal/web/middleware.py."""

from __future__ import annotations

from django.urls import path

from portal.web import (
    access,
    activity,
    compare,
    credentials,
    deliveries,
    home,
    mailed,
    portfolio,
    report_password,
    reports,
    schedules,
    team,
    title,
)

_REPORTS = "p/<slug:partner>/reports/"
_SCHEDULE = _REPORTS + "schedule/"
_TEAM = "p/<slug:partner>/team/"
_CREDENTIALS = "p/<slug:partner>/credentials/"

urlpatterns = [
    path("", home.home, name="home"),
    path("mail/report/<str:token>/", mailed.report, name="mailed-report"),
    path("mail/leave/<str:token>/", mailed.leaving, name="mailed-leave"),
    path("p/<slug:partner>/", portfolio.portfolio, name="portfolio"),
    path("p/<slug:partner>/titles/<slug:slug>/", title.title, name="title"),
    path("p/<slug:partner>/titles/<slug:slug>/csv/<str:resource>/", title.csv, name="csv"),
    path("p/<slug:partner>/compare/", compare.compare, name="compare"),
    path("p/<slug:partner>/access/", access.access, name="access"),
    path("p/<slug:partner>/access/ask/<slug:slug>/", access.ask, name="access-ask"),
    path("p/<slug:partner>/access/<uuid:id>/withdraw/", access.withdraw, name="access-withdraw"),
    path("p/<slug:partner>/activity/", activity.activity, name="activity"),
    path(_REPORTS, reports.reports, name="reports"),
    path(_SCHEDULE + "new/", schedules.create, name="schedule-new"),
    path(_SCHEDULE + "<uuid:id>/", schedules.edit, name="schedule"),
    path(_SCHEDULE + "<uuid:id>/pause/", schedules.pause, name="schedule-pause"),
    path(_SCHEDULE + "<uuid:id>/resume/", schedules.resume, name="schedule-resume"),
    path(_SCHEDULE + "<uuid:id>/now/", schedules.send_now, name="schedule-now"),
    path(_SCHEDULE + "<uuid:id>/delete/", schedules.delete, name="schedule-delete"),
    path(_REPORTS + "password/", report_password.report_password, name="report-password"),
    path(_REPORTS + "deliveries/", deliveries.deliveries, name="deliveries"),
    path(_REPORTS + "<uuid:id>/", reports.report, name="report"),
    path(_REPORTS + "<uuid:id>/resend/", deliveries.resend, name="report-resend"),
    path(_REPORTS + "<uuid:id>/progress/", reports.progress, name="report-progress"),
    path(_REPORTS + "<uuid:id>/cancel/", reports.cancel, name="report-cancel"),
    path(_REPORTS + "<uuid:id>/download/", reports.download, name="download"),
    path(_TEAM, team.team, name="team"),
    path(_TEAM + "invite/", team.invite, name="team-invite"),
    path(_TEAM + "invitations/send/", team.ask_again, name="team-ask-again"),
    path(_TEAM + "invitations/withdraw/", team.withdraw, name="team-withdraw"),
    path(_TEAM + "<uuid:id>/", team.member, name="member"),
    path(_TEAM + "<uuid:id>/remove/", team.remove, name="member-remove"),
    path(_CREDENTIALS, credentials.listing, name="credentials"),
    path(_CREDENTIALS + "new/", credentials.create, name="credential-new"),
    path(_CREDENTIALS + "<uuid:id>/replace/", credentials.rotate, name="credential-replace"),
    path(_CREDENTIALS + "<uuid:id>/revoke/", credentials.revoke, name="credential-revoke"),
]
