from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView

from portal.api import activity, deliveries, reports, views
from portal.errors import not_found

app_name = "api"
urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("p/<slug:partner>/titles/", views.Titles.as_view(), name="titles"),
    path("p/<slug:partner>/titles/<slug:slug>/", views.Title.as_view(), name="title"),
    path(
        "p/<slug:partner>/titles/<slug:slug>/<str:resource>/",
        views.Resource.as_view(),
        name="resource",
    ),
    path("p/<slug:partner>/releases/", views.Releases.as_view(), name="releases"),
    path("p/<slug:partner>/changes/", views.Changes.as_view(), name="changes"),
    path("p/<slug:partner>/bundles/", reports.Bundles.as_view(), name="bundles"),
    path("p/<slug:partner>/bundles/<uuid:id>/", reports.OneBundle.as_view(), name="bundle"),
    path(
        "p/<slug:partner>/bundles/<uuid:id>/download/",
        reports.BundleFile.as_view(),
        name="bundle-file",
    ),
    path("p/<slug:partner>/schedules/", reports.Schedules.as_view(), name="schedules"),
    path(
        "p/<slug:partner>/schedules/<uuid:id>/run-now/",
        reports.RunNow.as_view(),
        name="schedule-run-now",
    ),
    path("p/<slug:partner>/deliveries/", deliveries.Deliveries.as_view(), name="deliveries"),
    path(
        "p/<slug:partner>/deliveries/<uuid:id>/",
        deliveries.OneDelivery.as_view(),
        name="delivery",
    ),
    path("p/<slug:partner>/activity/", activity.Activity.as_view(), name="activity"),
    re_path(r"", lambda request: not_found(request, Exception()), name="nothing"),
]
