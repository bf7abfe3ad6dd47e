"""What the tests of the two walls share: the views, and how one asks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone as django_timezone

from engagement.families.registry import FAMILIES
from engagement.models import Title
from engagement.scope import Entitled, Query, Scope, Window
from partners import grants
from partners.models import Grant, Membership
from tests.cast import DAY, DAYS, Cast

WHOLE = Window(DAY, DAY + timedelta(days=DAYS))
FACT_VIEWS = (
    ("wall_viewing", "engagement_viewingfact"),
    ("wall_viewer_sketch", "engagement_viewersketch"),
    ("wall_retention", "engagement_retentionfact"),
    ("wall_rewatch", "engagement_rewatchfact"),
    ("wall_danmu", "engagement_danmufact"),
    ("wall_danmu_comment", "engagement_danmucomment"),
    ("wall_discussion", "engagement_discussionfact"),
    ("wall_discussion_post", "engagement_discussionpost"),
    ("wall_sharing", "engagement_sharingfact"),
    ("wall_sharing_offset", "engagement_sharingoffset"),
    ("wall_demographics", "engagement_demographicsfact"),
    ("wall_geography", "engagement_geographyfact"),
    ("wall_fanbases", "engagement_fanbasefact"),
    ("wall_typical", "engagement_typicalfact"),
    ("wall_restatement", "engagement_restatement"),
    ("wall_adjustment", "engagement_adjustment"),
)
ONE_BY_ONE = ("danmu_comments", "danmu_phrases", "discussion_posts")
"""Text has no row over all territories: asked for all of them, those that are granted answer."""

PIPELINES_OWN = ("engagement_daypartial", "engagement_publishedpiece", "engagement_noisedtable")


def ask(title_id: int, resource: str = "viewing", **fields: Any) -> Query:
    return Query(title_id=title_id, resource=resource, window=fields.pop("window", WHOLE), **fields)


def forged(cast: Cast, exit: str = "web", *more: Title) -> Scope:
    """A scope of Aurora's in which Python would allow everything, of `more` titles too."""
    everything = frozenset(FAMILIES)
    return Scope(
        cast.aurora.pk,
        exit,
        tuple(
            Entitled(cast.grants["film"].pk, t.pk, everything, frozenset({"*", "CN", "SG"}))
            for t in (cast.film, cast.hidden, cast.foreign, cast.shared, *more)
        ),
    )


# --- how a right ends ----------------------------------------------------------------------------


def revoke(cast: Cast, grant: Grant) -> None:
    grants.revoke(grant, by=cast.stella)


def expire(cast: Cast, grant: Grant) -> None:
    # an hour: for Postgres it is still as late as when the test began
    grants.expire(grant, at=django_timezone.now() - timedelta(hours=1), by=cast.stella)


def suspend(cast: Cast, grant: Grant) -> None:
    cast.aurora.suspended_at = django_timezone.now()
    cast.aurora.save()


def disable(cast: Cast, grant: Grant) -> None:
    cast.alice.user.is_active = False
    cast.alice.user.save()


def remove(cast: Cast, grant: Grant) -> None:
    Membership.objects.filter(pk=cast.alice.pk).delete()
