"""partners/grants.py: what a grant opens, its two people, its end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone, translation

from engagement.models import Ingest, Source, Title, TitleChange
from partners import grants, title_changes
from partners.models import AuditEvent, Entitlement, Grant, Holding, Partner
from tests.cast import Cast

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """Refusals are in the language of the person who tried it."""
    with translation.override("en"):
        yield


@pytest.fixture
def series(cast: Cast) -> dict[str, Title]:
    """A series of two episodes and a trailer; Aurora holds the series and episode one."""
    series = Title.objects.create(key="s", slug="s", kind="series", name_zh="剧")
    parts = {
        slug: Title.objects.create(key=slug, slug=slug, kind=kind, name_zh=slug, parent=series)
        for slug, kind in (("s-1", "episode"), ("s-2", "episode"), ("s-t", "trailer"))
    }
    for title in (series, parts["s-1"]):
        Holding.objects.create(partner=cast.aurora, title=title, territories=["*"])
    Holding.objects.create(partner=cast.borealis, title=parts["s-2"], territories=["*"])
    return {"s": series, **parts}


def proposed(cast: Cast, *titles: Title, **fields: object) -> Grant:
    grant = Grant.objects.create(
        **{
            "partner": cast.aurora,
            "families": ["retention"],
            "territories": ["CN"],
            "exits": ["web"],
            "valid_from": NOW,
            "contract_reference": "C-9",
            "made_by": cast.stella,
            **fields,
        }
    )
    grant.titles.set(titles)
    return grant


def slugs(grant: Grant) -> list[str]:
    return [o.title.slug for o in grants.opens(grant)]


def open_now(grant: Grant) -> list[str]:
    return list(grant.entitlements.order_by("title__slug").values_list("title__slug", flat=True))


def test_a_series_opens_itself_and_only_the_children_the_partner_holds(
    cast: Cast, series: dict[str, Title]
) -> None:
    assert slugs(proposed(cast, series["s"])) == ["s", "s-1"]


def test_a_film_opens_itself_and_an_episode_does_not_open_its_series(
    cast: Cast, series: dict[str, Title]
) -> None:
    assert slugs(proposed(cast, cast.film, series["s-2"])) == ["film", "s-2"]


def test_approval_writes_what_was_previewed(cast: Cast, series: dict[str, Title]) -> None:
    grant = proposed(
        cast,
        series["s"],
        families=["viewing", "danmu"],
        territories=["CN", "SG"],
        exits=["web", "api"],
        data_from=date(2026, 1, 1),
        data_until=date(2026, 2, 1),
        valid_until=NOW + timedelta(days=900),
    )
    seen = [
        (o.title.pk, o.families, o.territories, o.exits, o.window.since, o.window.until,
         o.valid_from, o.valid_until)
        for o in grants.opens(grant)
    ]  # fmt: skip
    grants.approve(grant, by=cast.sam)
    written = [
        (e.title_id, tuple(e.families), tuple(e.territories), tuple(e.exits), e.data_from,
         e.data_until, e.valid_from, e.valid_until)
        for e in Entitlement.objects.filter(grant=grant).order_by("title__slug")
    ]  # fmt: skip
    assert written == seen
    assert len(written) == 2


def test_the_maker_does_not_approve(cast: Cast) -> None:
    grant = proposed(cast, cast.film)
    with pytest.raises(grants.GrantError, match="somebody else"):
        grants.approve(grant, by=cast.stella)
    assert open_now(grant) == []


def test_the_database_refuses_a_grant_with_one_person(cast: Cast) -> None:
    grant = proposed(cast, cast.film)
    with pytest.raises(IntegrityError, match="grant_needs_two_people"), transaction.atomic():
        Grant.objects.filter(pk=grant.pk).update(
            state="approved", approved_by=cast.stella, approved_at=NOW
        )
    with (
        pytest.raises(IntegrityError, match="approved_grant_has_an_approver"),
        transaction.atomic(),
    ):
        Grant.objects.filter(pk=grant.pk).update(state="approved")


def test_approval_is_of_what_was_seen(cast: Cast) -> None:
    grant = proposed(cast, cast.film)
    seen = grants.digest(grants.opens(grant))
    grant.territories = ["*"]
    grant.save()
    with pytest.raises(grants.GrantError, match="changed since"):
        grants.approve(grant, by=cast.sam, seen=seen)
    assert open_now(grant) == []


@pytest.mark.parametrize(
    "wider",
    [
        {"families": ["retention", "danmu"]},
        {"territories": ["*"]},
        {"exits": ["web", "api"]},
        {"data_until": date(2027, 1, 1)},
        {"valid_from": NOW - timedelta(days=1)},
        {"valid_until": None},
        {"valid_until": NOW + timedelta(days=901)},
        {"contract_reference": "C-10"},
        {"state": "proposed"},
    ],
    ids=lambda wider: next(iter(wider)),
)
def test_the_database_refuses_to_change_an_approved_grant(
    cast: Cast, wider: dict[str, object]
) -> None:
    grant = proposed(
        cast, cast.film, data_until=date(2026, 2, 1), valid_until=NOW + timedelta(days=900)
    )
    grants.approve(grant, by=cast.sam)
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.filter(pk=grant.pk).update(**wider)


def test_the_database_refuses_another_title_in_an_approved_grant(cast: Cast) -> None:
    with pytest.raises(IntegrityError, match="titles of a grant"), transaction.atomic():
        cast.grants["film"].titles.add(cast.foreign)
    with pytest.raises(IntegrityError, match="titles of a grant"), transaction.atomic():
        cast.grants["film"].titles.remove(cast.film)


def test_a_revoked_grant_is_not_taken_up_again(cast: Cast) -> None:
    grant = cast.grants["film"]
    grants.revoke(grant, by=cast.stella)
    assert open_now(grant) == []
    with pytest.raises(grants.GrantError):
        grants.approve(grant, by=cast.sam)
    with pytest.raises(IntegrityError, match="taken up again"), transaction.atomic():
        Grant.objects.filter(pk=grant.pk).update(state="approved", revoked_at=None)


def test_an_end_only_comes_earlier(cast: Cast) -> None:
    grant = cast.grants["film"]
    first = timezone.now() + timedelta(days=30)
    grants.expire(grant, at=first, by=cast.stella)
    with pytest.raises(grants.GrantError, match="later end"):
        grants.expire(grant, at=first + timedelta(seconds=1), by=cast.stella)
    earlier = first - timedelta(days=10)
    grants.expire(grant, at=earlier, by=cast.stella)
    assert list(grant.entitlements.values_list("valid_until", flat=True)) == [earlier]


def test_an_end_before_the_beginning_is_refused(cast: Cast) -> None:
    grant = cast.grants["film"]
    with pytest.raises(grants.GrantError, match="before the beginning"):
        grants.expire(grant, at=grant.valid_from, by=cast.stella)


def test_refresh_follows_a_holding_and_says_who_gains_and_loses(
    cast: Cast, series: dict[str, Title]
) -> None:
    grant = proposed(cast, series["s"])
    grants.approve(grant, by=cast.sam)
    assert open_now(grant) == ["s", "s-1"]

    holding = Holding.objects.create(partner=cast.aurora, title=series["s-2"], territories=["*"])
    gained = grants.refresh([series["s-2"].pk], by=cast.stella)
    assert [(e.grant.pk, e.title.slug, e.gains) for e in gained] == [(grant.pk, "s-2", True)]
    assert open_now(grant) == ["s", "s-1", "s-2"]

    holding.delete()
    lost = grants.refresh([series["s-2"].pk], by=cast.stella)
    assert [(e.title.slug, e.gains) for e in lost] == [("s-2", False)]
    assert open_now(grant) == ["s", "s-1"]
    told = AuditEvent.objects.filter(action="grant.refreshed").order_by("id")
    assert [(e.detail["gained"], e.detail["lost"]) for e in told] == [(["s-2"], []), ([], ["s-2"])]


def test_refresh_leaves_proposed_and_revoked_grants_closed(
    cast: Cast, series: dict[str, Title]
) -> None:
    waiting, ended = proposed(cast, series["s"]), proposed(cast, series["s"])
    grants.approve(ended, by=cast.sam)
    grants.revoke(ended, by=cast.stella)
    assert grants.refresh([series["s"].pk]) == []
    assert open_now(waiting) == open_now(ended) == []


def test_each_step_is_recorded_with_its_actor(cast: Cast) -> None:
    grant = proposed(cast, cast.film)
    grants.propose(grant, by=cast.stella)
    grants.approve(grant, by=cast.sam)
    grants.expire(grant, at=timezone.now() + timedelta(days=1), by=cast.stella)
    grants.revoke(grant, by=cast.sam)
    told = AuditEvent.objects.filter(target=str(grant.pk)).order_by("id")
    assert [(e.action, e.actor, e.partner) for e in told] == [
        ("grant.made", cast.stella, cast.aurora),
        ("grant.approved", cast.sam, cast.aurora),
        ("grant.expiry_set", cast.stella, cast.aurora),
        ("grant.revoked", cast.sam, cast.aurora),
    ]


@pytest.fixture
def move(cast: Cast, series: dict[str, Title]) -> TitleChange:
    """A titles file asks to move Aurora's film into the series."""
    source = Source.objects.create(
        name="titles.csv",
        sha256="0" * 64,
        kind="titles",
        format="native",
        state="live",
        ingest=Ingest.objects.create(),
    )
    return TitleChange.objects.create(
        title=cast.film, kind="episode", parent=series["s"], source=source
    )


def test_a_title_change_shows_who_gains_and_changes_nothing_until_accepted(
    cast: Cast, series: dict[str, Title], move: TitleChange
) -> None:
    grant = proposed(cast, series["s"])
    grants.approve(grant, by=cast.sam)
    before = AuditEvent.objects.count()

    seen = title_changes.effects(move)
    assert [(e.grant.pk, e.title.slug, e.gains) for e in seen] == [(grant.pk, "film", True)]
    cast.film.refresh_from_db()
    assert (cast.film.parent, cast.film.kind) == (None, "film")
    assert open_now(grant) == ["s", "s-1"]
    assert AuditEvent.objects.count() == before

    title_changes.accept(move, by=cast.sam)
    cast.film.refresh_from_db()
    assert (cast.film.parent, cast.film.kind) == (series["s"], "episode")
    assert open_now(grant) == ["film", "s", "s-1"]
    with pytest.raises(title_changes.TitleChangeError):
        title_changes.refuse(move, by=cast.stella)


def test_a_child_that_moves_away_is_lost(
    cast: Cast, series: dict[str, Title], move: TitleChange
) -> None:
    grant = proposed(cast, series["s"])
    grants.approve(grant, by=cast.sam)
    TitleChange.objects.filter(pk=move.pk).update(title=series["s-1"], kind="film", parent=None)
    move.refresh_from_db()
    assert [(e.title.slug, e.gains) for e in title_changes.effects(move)] == [("s-1", False)]
    title_changes.accept(move, by=cast.sam)
    assert open_now(grant) == ["s"]


def test_a_refused_title_change_leaves_the_title(cast: Cast, move: TitleChange) -> None:
    title_changes.refuse(move, by=cast.sam)
    cast.film.refresh_from_db()
    move.refresh_from_db()
    assert (cast.film.kind, move.accepted) == ("film", False)


def test_another_partners_holding_opens_nothing(cast: Cast, series: dict[str, Title]) -> None:
    other = Partner.objects.create(slug="delta", name_zh="三角洲")
    Holding.objects.create(partner=other, title=series["s-2"], territories=["*"])
    assert "s-2" not in slugs(proposed(cast, series["s"]))


def test_approval_is_for_the_partner_that_was_seen(cast: Cast) -> None:
    grant = proposed(cast, cast.film)
    seen = grants.digest(grants.opens(grant))
    grant.partner = cast.borealis
    grant.save()
    with pytest.raises(grants.GrantError, match="changed since"):
        grants.approve(grant, by=cast.sam, seen=seen)
    assert open_now(grant) == []
