"""partners/grants.py: what a grant opens, its two people, its end."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from engagement.models import Title
from partners import grants
from partners.models import AuditEvent, Entitlement, Grant, Holding, Partner, User
from partners.refreshing import refresh
from tests.cast import Cast
from tests.partners.proposals import NOW, open_now, proposed

pytestmark = pytest.mark.usefixtures("in_english")


def slugs(grant: Grant) -> list[str]:
    return [o.title.slug for o in grants.opens(grant)]


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
    gained = refresh([series["s-2"].pk], by=cast.stella, widens=True)
    assert [(e.grant.pk, e.title.slug, e.gains) for e in gained] == [(grant.pk, "s-2", True)]
    assert open_now(grant) == ["s", "s-1", "s-2"]

    holding.delete()
    lost = refresh([series["s-2"].pk], by=cast.stella)
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
    assert refresh([series["s"].pk]) == []
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


# -- what a series opens of a child that is held in part ------------------------------------------


def rows(grant: Grant, slug: str) -> list[tuple[list[str], date, date]]:
    found = grant.entitlements.filter(title__slug=slug)
    return sorted(
        found.values_list("territories", "data_from", "data_until"), key=lambda r: (r[1], r[0])
    )


def test_a_co_produced_series_opens_a_child_no_further_than_its_holdings(
    cast: Cast, series: dict[str, Title]
) -> None:
    """Disjoint territories: each co-producer's grant for all opens its own part of the child."""
    child = series["s-2"]
    Holding.objects.filter(title=child).delete()
    Holding.objects.create(partner=cast.aurora, title=child, territories=["CN", "HK"])
    Holding.objects.create(
        partner=cast.cirrus, title=child, territories=["SG"], from_day=date(2026, 3, 1)
    )
    ours = proposed(cast, series["s"], territories=["*"])
    theirs = proposed(
        cast,
        series["s"],
        partner=cast.cirrus,
        territories=["CN", "SG"],
        data_until=date(2026, 6, 1),
    )
    for grant in (ours, theirs):
        grants.approve(grant, by=cast.sam)
    assert rows(ours, "s-2") == [(["CN", "HK"], date.min, date.max)]
    assert rows(ours, "s") == rows(ours, "s-1") == [(["*"], date.min, date.max)]
    assert rows(theirs, "s-2") == [(["SG"], date(2026, 3, 1), date(2026, 6, 1))]
    assert rows(theirs, "s-1") == []


def test_a_childs_territories_may_be_held_for_different_days(
    cast: Cast, series: dict[str, Title]
) -> None:
    """One tuple for each; holdings that touch are one: a row over both is the partner's."""
    child, march, may = series["s-t"], date(2026, 3, 1), date(2026, 5, 1)
    for territories, since, until in (
        (["CN"], None, march), (["CN"], march, None), (["SG"], march, may),
    ):  # fmt: skip
        Holding.objects.create(
            partner=cast.aurora, title=child, territories=territories, from_day=since, until=until
        )
    grant = proposed(cast, series["s"], territories=["CN", "SG", "MY"])
    grants.approve(grant, by=cast.sam)
    assert rows(grant, "s-t") == [(["CN"], date.min, date.max), (["SG"], march, may)]


def test_a_child_named_in_the_grant_is_opened_as_the_grant_says(
    cast: Cast, series: dict[str, Title]
) -> None:
    grant = proposed(cast, series["s"], series["s-2"], territories=["*"])
    grants.approve(grant, by=cast.sam)
    assert rows(grant, "s-2") == [(["*"], date.min, date.max)]


@pytest.mark.parametrize(
    "beyond",
    [
        {"families": ["retention", "danmu"]},
        {"exits": ["web", "export"]},
        {"territories": ["CN", "SG"]},
        {"territories": ["*"]},
        {"data_from": date(2025, 12, 31)},
        {"data_until": date(2026, 2, 2)},
        {"valid_from": NOW - timedelta(seconds=1)},
        {"valid_until": None},
        {"partner": "borealis"},
    ],
    ids=str,
)
def test_the_database_refuses_an_entitlement_beyond_its_grant(
    cast: Cast, beyond: dict[str, object]
) -> None:
    grant = proposed(
        cast, cast.film, data_from=date(2026, 1, 1), data_until=date(2026, 2, 1),
        valid_until=NOW + timedelta(days=900),
    )  # fmt: skip
    grants.approve(grant, by=cast.sam)
    if "partner" in beyond:
        beyond = {"partner": cast.borealis}
    with pytest.raises(IntegrityError, match="beyond its grant"), transaction.atomic():
        grant.entitlements.update(**beyond)
    assert grant.entitlements.update(families=["retention"]) == 1


def test_the_database_refuses_an_entitlement_to_a_child_that_is_not_held(
    cast: Cast, series: dict[str, Title]
) -> None:
    grant = proposed(cast, series["s"], territories=["CN", "SG"])
    grants.approve(grant, by=cast.sam)
    of_a_child = grant.entitlements.filter(title=series["s-1"])
    for other in (series["s-2"], cast.film):
        with pytest.raises(IntegrityError, match="partner holds"), transaction.atomic():
            of_a_child.update(title=other)
    Holding.objects.filter(title=series["s-1"]).update(territories=["CN"], until=date(2026, 3, 1))
    for beyond in ({"territories": ["CN", "SG"]}, {"data_until": date(2026, 3, 2)}):
        fields = {"territories": ["CN"], "data_until": date(2026, 3, 1)}
        with pytest.raises(IntegrityError, match="partner holds"), transaction.atomic():
            of_a_child.update(**(fields | beyond))
        assert of_a_child.update(**fields) == 1


# -- case 78: the second person, whichever way it is tried ----------------------------------------


def test_nobody_hands_a_proposal_to_another_to_approve_it_themselves(cast: Cast) -> None:
    """Case 78: made by one, its maker's name changed in the shell, approved by the same."""
    grant = proposed(cast, cast.film)
    for forged in ({"made_by": cast.sam}, {"made_at": NOW}):
        with pytest.raises(IntegrityError, match="keeps its maker"), transaction.atomic():
            Grant.objects.filter(pk=grant.pk).update(**forged)


def test_a_grant_is_not_made_approved_nor_widened_in_its_approval(cast: Cast) -> None:
    """Case 78: in the shell, past partners/grants.py."""
    with pytest.raises(IntegrityError, match="begins as a proposal"), transaction.atomic():
        proposed(cast, state="approved", approved_by=cast.sam, approved_at=NOW)
    grant = proposed(cast, cast.film)
    yes = {"state": "approved", "approved_by": cast.sam, "approved_at": NOW}
    with pytest.raises(IntegrityError, match="as it was proposed"), transaction.atomic():
        Grant.objects.filter(pk=grant.pk).update(**yes, territories=["*"])
    assert Grant.objects.filter(pk=grant.pk).update(**yes) == 1


def test_nothing_is_dated_back(cast: Cast) -> None:
    """Case 78: when it was made, approved and revoked is the database's to say."""
    began = timezone.now() - timedelta(minutes=1)
    grant = proposed(cast, cast.film, made_at=NOW)
    grants.approve(grant, by=cast.sam)
    Grant.objects.filter(pk=grant.pk).update(state="revoked", revoked_by=cast.sam, revoked_at=NOW)
    grant.refresh_from_db()
    for at in (grant.made_at, grant.approved_at, grant.revoked_at):
        assert began < at < timezone.now() + timedelta(minutes=1)


def test_only_staff_who_may_approve_are_the_second_person(cast: Cast) -> None:
    """Case 78: a member or staff without the right, by way of the shell or the API."""
    grant = proposed(cast, cast.film)
    clerk = User.objects.create_user("clerk@platform.example.com", is_staff=True)
    cast.sam.is_active = False
    for who in (cast.alice.user, clerk, cast.sam):
        with pytest.raises(grants.GrantError, match="may not approve"):
            grants.approve(grant, by=who)
    assert open_now(grant) == []
