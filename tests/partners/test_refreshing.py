"""partners/refreshing.py: what a holding or a title's parent changes of approved grants.

Case 78: one person's holding opens nothing of a granted series; what it would open is proposed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone, translation

from engagement.models import Ingest, Source, Title, TitleChange
from partners import grants, narrowing, title_changes
from partners.difference import on_narrowing
from partners.models import AuditEvent, Grant, Holding
from partners.refreshing import refresh
from tests.cast import Cast


@pytest.fixture
def series(cast: Cast) -> dict[str, Title]:
    """A series of two episodes; Aurora holds the first in CN."""
    series = Title.objects.create(key="s", slug="s", kind="series", name_zh="剧")
    parts = {
        slug: Title.objects.create(key=slug, slug=slug, kind="episode", name_zh=slug, parent=series)
        for slug in ("s-1", "s-2")
    }
    Holding.objects.create(partner=cast.aurora, title=parts["s-1"], territories=["CN"])
    return {"s": series, **parts}


@pytest.fixture
def granted(cast: Cast, series: dict[str, Title]) -> Grant:
    return cast.grant(cast.aurora, series["s"], territories=["CN", "SG"])


def rows(grant: Grant, slug: str) -> list[tuple[str, ...]]:
    found = grant.entitlements.filter(title__slug=slug).values_list("territories", flat=True)
    return sorted(tuple(sorted(t)) for t in found)


def propose(cast: Cast, title: Title) -> Grant:
    grant = Grant.objects.create(
        partner=cast.aurora, families=["viewing"], territories=["CN"], exits=["web"],
        valid_from=timezone.now(), contract_reference="C-2", made_by=cast.sam,
    )  # fmt: skip
    grant.titles.set([title])
    return grant


def proposals() -> list[Grant]:
    return list(Grant.objects.filter(state="proposed"))


def test_case_78_one_persons_holding_opens_nothing_until_another_approves(
    cast: Cast, series: dict[str, Title], granted: Grant
) -> None:
    Holding.objects.create(partner=cast.aurora, title=series["s-2"], territories=["*"])
    [effect] = refresh([series["s-2"].pk], by=cast.sam)
    assert (effect.title, effect.gains, effect.waits) == (series["s-2"], True, True)
    assert (rows(granted, "s-1"), rows(granted, "s-2")) == ([("CN",)], [])
    [again] = proposals()
    assert (again.replaces, again.made_by) == (granted, cast.sam)
    with pytest.raises(grants.GrantError):
        grants.approve(again, by=cast.sam)
    grants.approve(again, by=cast.stella, seen=grants.digest(grants.opens(again)))
    assert rows(again, "s-2") == [("CN", "SG")]
    granted.refresh_from_db()
    assert granted.state == "revoked"


def test_case_78_a_holding_in_more_territories_leaves_open_what_was(
    cast: Cast, series: dict[str, Title], granted: Grant
) -> None:
    held = Holding.objects.filter(title=series["s-1"])
    held.update(territories=["CN", "SG"], until=date(2026, 3, 1))  # more here, and less there
    effects = refresh([series["s-1"].pk], by=cast.sam)
    assert [(e.gains, e.waits) for e in effects] == [(True, True), (False, False)]
    [row] = granted.entitlements.filter(title=series["s-1"])
    assert (row.territories, row.data_until) == (["CN"], date(2026, 3, 1))
    told = AuditEvent.objects.filter(action="grant.refreshed").latest("id")
    assert (told.detail["gained"], told.detail["lost"]) == ([], ["s-1"])


def test_what_waits_is_proposed_once_and_not_of_a_grant_that_is_over(
    cast: Cast, series: dict[str, Title], granted: Grant
) -> None:
    Holding.objects.create(partner=cast.aurora, title=series["s-2"], territories=["*"])
    for _ in range(2):
        assert refresh([series["s-2"].pk], by=cast.sam)[0].waits
    assert len(proposals()) == 1
    Grant.objects.filter(state="proposed").delete()
    grants.expire(granted, at=timezone.now() + timedelta(milliseconds=1), by=cast.sam)
    refresh([series["s-2"].pk], by=cast.sam)
    assert proposals() == []


def test_case_78_a_change_of_a_title_takes_no_holding_along(
    cast: Cast, series: dict[str, Title], granted: Grant
) -> None:
    """What was accepted is the change; another title's holding still waits."""
    Holding.objects.create(partner=cast.aurora, title=series["s-2"], territories=["*"])
    Holding.objects.create(partner=cast.aurora, title=cast.film, territories=["*"])
    refresh([series["s-2"].pk], by=cast.sam)
    source = Source.objects.create(
        name="titles.csv", sha256="0" * 64, kind="titles", format="native", state="live",
        ingest=Ingest.objects.create(),
    )  # fmt: skip
    change = TitleChange.objects.create(
        title=cast.hidden, kind="episode", parent=series["s"], source=source
    )
    Holding.objects.get_or_create(partner=cast.aurora, title=cast.hidden, territories=["*"])
    title_changes.accept(change, by=cast.sam)
    assert rows(granted, cast.hidden.slug) == [("CN", "SG")]
    assert rows(granted, "s-2") == []


def test_case_78_narrowing_takes_no_waiting_holding_along(
    cast: Cast, series: dict[str, Title], granted: Grant
) -> None:
    """Who recorded the holding narrows the grant by something small: the holding still waits."""
    Holding.objects.create(partner=cast.aurora, title=series["s-2"], territories=["*"])
    refresh([series["s-2"].pk], by=cast.sam)
    less = replace(grants.Terms.of(granted), territories=frozenset({"CN"}))
    assert on_narrowing(granted, less).opens == ()
    narrowing.narrow(granted, less, by=cast.sam)
    assert (rows(granted, "s-1"), rows(granted, "s-2")) == ([("CN",)], [])


def test_case_78_nobody_approves_what_their_own_holding_opens(
    cast: Cast, series: dict[str, Title]
) -> None:
    """The maker did not see it: the approver alone would have opened it."""
    proposed = propose(cast, series["s"])
    Holding.objects.create(
        partner=cast.aurora, title=series["s-2"], territories=["CN"], recorded_by=cast.stella
    )
    with (
        translation.override("en"),
        pytest.raises(grants.GrantError, match="you recorded a holding"),
    ):
        grants.approve(proposed, by=cast.stella, seen=grants.digest(grants.opens(proposed)))
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.filter(pk=proposed.pk).update(
            state="approved", approved_by=cast.stella, approved_at=Now()
        )
    anew = propose(cast, series["s"])
    grants.approve(anew, by=cast.stella)  # this one's maker saw it
    assert rows(anew, "s-2") == [("CN",)]


def test_a_holding_that_ends_closes_at_once(
    cast: Cast, series: dict[str, Title], granted: Grant
) -> None:
    Holding.objects.filter(title=series["s-1"]).delete()
    [effect] = refresh([series["s-1"].pk], by=cast.sam)
    assert not effect.gains
    assert rows(granted, "s-1") == []
    assert proposals() == []


BESIDE_THE_ADMIN: dict[str, Callable[[dict[str, Title]], object]] = {
    "removed": lambda s: Holding.objects.filter(title=s["s-1"]).delete(),
    "shrunk": lambda s: Holding.objects.filter(title=s["s-1"]).update(territories=["SG"]),
    "ended": lambda s: Holding.objects.filter(title=s["s-1"]).update(until=date(2026, 3, 1)),
    "moved": lambda s: Holding.objects.filter(title=s["s-1"]).update(title=s["s-2"]),
    "out of its series": lambda s: Title.objects.filter(pk=s["s-1"].pk).update(parent=None),
    "a series no more": lambda s: Title.objects.filter(pk=s["s"].pk).update(kind="film"),
}


@pytest.mark.parametrize("how", BESIDE_THE_ADMIN)
def test_case_78_what_is_changed_beside_the_admin_leaves_nothing_open_that_is_not_held(
    cast: Cast, series: dict[str, Title], granted: Grant, how: str
) -> None:
    """In a shell or in SQL, without refresh: closed when the transaction ends."""
    assert rows(granted, "s-1") == [("CN",)]
    BESIDE_THE_ADMIN[how](series)
    transaction_ends()
    assert rows(granted, "s-1") == []
    assert rows(granted, "s") == [("CN", "SG")]  # named in the grant: it rests on no holding


def test_a_holding_that_is_saved_leaves_open_what_refresh_has_written(
    cast: Cast, series: dict[str, Title], granted: Grant
) -> None:
    """The look at the transaction's end takes nothing of what is held."""
    Holding.objects.filter(title=series["s-1"]).update(until=date(2026, 3, 1))
    refresh([series["s-1"].pk], by=cast.sam)
    Holding.objects.create(partner=cast.aurora, title=series["s-2"], territories=["*"])
    transaction_ends()
    [row] = granted.entitlements.filter(title=series["s-1"])
    assert row.data_until == date(2026, 3, 1)


def transaction_ends() -> None:
    """As far as the database looks at anything then."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
