"""P19: one partner's bundles or errors do not hold up another's. Whose turn it is, how many at
once, and how a bundle ends before it is made.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from engagement.scope import Refused
from partners.models import AuditEvent, Membership
from reports import build as building
from reports import jobs
from reports.models import Bundle, Delivery
from reports.plan import cancel_bundle
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.reports.test_build import ask
from tests.walls import DAY


def queued(member: Membership, n: int) -> list[Bundle]:
    """`n` bundles of the member, as the row has them: the wish itself is not looked at."""
    return [
        Bundle.objects.create(
            partner=member.partner, recipient=member, titles=[k], language="en",
            from_day=DAY, until=DAY + timedelta(days=1 + k),
        )
        for k in range(n)
    ]  # fmt: skip


def taken(n: int) -> list[str]:
    """Whose bundles are begun, one ended before the next."""
    slugs = []
    for _ in range(n):
        claim = jobs.claim_next()
        assert claim is not None
        slugs.append(Bundle.objects.get(pk=claim.id).partner.slug)
        assert jobs.finish(claim, Bundle.State.DONE)
    return slugs


def test_p19_a_hundred_bundles_of_one_partner_stand_behind_one_of_another(cast: Cast) -> None:
    queued(cast.alice, 100)
    assert taken(3) == ["aurora"] * 3
    queued(cast.bob, 1)
    assert taken(2) == ["borealis", "aurora"]
    queued(cast.bob, 2)
    queued(cast.cleo, 1)
    assert taken(4) == ["cirrus", "borealis", "aurora", "borealis"]


def test_p19_stuck_bundles_of_one_partner_take_one_worker(cast: Cast, settings: Settings) -> None:
    queued(cast.alice, 10)
    stuck = jobs.claim_next()
    assert stuck is not None
    assert jobs.claim_next() is None  # the other worker stays free
    [theirs] = queued(cast.bob, 1)
    claim = jobs.claim_next()
    assert claim is not None
    assert claim.id == theirs.pk
    settings.BUNDLES_AT_ONCE = 3
    assert jobs.claim_next() is not None
    assert jobs.claim_next() is not None
    assert jobs.claim_next() is None
    assert Bundle.objects.filter(partner=cast.aurora, state="running").count() == 3


@pytest.mark.usefixtures("rendered")
def test_what_was_passed_over_is_rung_for_when_a_bundle_ends(
    cast: Cast, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bells of the others were heard while they had to wait; none of them waits for a sweep."""
    first, second = ask(cast.alice), ask(cast.alice, language="zh-hans")
    rung: list[Any] = []
    monkeypatch.setattr(jobs, "_ring_now", lambda task, job_id: rung.append(job_id))
    assert building.build_next()
    assert Bundle.objects.get(pk=first.pk).state == "done"
    assert rung == [second.pk]
    assert building.build_next()
    assert rung == [second.pk]
    assert not building.build_next()


@pytest.mark.usefixtures("rendered")
def test_a_bundle_that_fails_as_itself_is_over_after_three_tries_and_others_go_on(
    cast: Cast, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = ask(cast.alice)
    real = building._report

    def report(plan: Any, answers: Any, before: Any) -> Any:
        if plan.bundle.pk == poisoned.pk:
            raise ValueError("a title that cannot be set")
        return real(plan, answers, before)

    monkeypatch.setattr(building, "_report", report)
    for tried in (1, 2):
        assert not building.build_next()
        poisoned.refresh_from_db()
        assert (poisoned.state, poisoned.attempts, poisoned.failure) == ("queued", tried, "trouble")
        assert building.build(ask(cast.bob, language=("en", "zh-hans")[tried - 1]).pk)
        Bundle.objects.filter(pk=poisoned.pk).update(due_at=poisoned.made_at)
    assert not building.build_next()
    poisoned.refresh_from_db()
    assert (poisoned.state, poisoned.failure) == ("failed", "broken")
    assert poisoned.problem == "ValueError: a title that cannot be set"
    assert not building.build_next()


def test_a_member_cancels_what_waits(cast: Cast, storage: Path) -> None:
    bundle = ask(cast.alice)
    page = f"/p/aurora/reports/{bundle.pk}/"
    alice = SignedIn(cast.alice.user, "en")
    assert f'action="{page}cancel/"' in alice.get(page).content.decode()
    assert alice.get(f"{page}cancel/").status_code == 405
    answer = alice.post(f"{page}cancel/", follow=True).content.decode()
    assert "The bundle is cancelled." in answer
    assert "Cancelled by whoever may." in answer
    assert f"{page}cancel/" not in answer
    assert not building.build(bundle.pk)
    assert AuditEvent.objects.get(action="bundle.cancelled").target == str(bundle.pk)
    assert "There was nothing left" in alice.post(f"{page}cancel/", follow=True).content.decode()
    # over REST the same
    other = ask(cast.alice, language="zh-hans")
    url = f"/api/v1/p/aurora/bundles/{other.pk}/"
    assert alice.delete(url).json()["state"] == "cancelled"
    assert alice.delete(url).status_code == 400


def test_nobody_cancels_what_is_somebody_elses(cast: Cast) -> None:
    bundle = ask(cast.alice)
    for member in (cast.amy, cast.victor, cast.bob):
        for answer in (
            SignedIn(member.user).post(f"/p/{member.partner.slug}/reports/{bundle.pk}/cancel/"),
            SignedIn(member.user).delete(f"/api/v1/p/{member.partner.slug}/bundles/{bundle.pk}/"),
        ):
            assert answer.status_code == 404
        with pytest.raises(Refused):
            cancel_bundle(membership=member, bundle=bundle)
    assert Bundle.objects.get().state == "queued"


def test_cancelled_in_the_making_it_is_left_at_the_next_step(
    cast: Cast, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = ask(cast.alice)
    real = building._say

    def say(claim: Any, step: str, progress: int) -> None:
        if step == "rendering":
            assert cancel_bundle(membership=cast.alice, bundle=bundle)
        real(claim, step, progress)

    monkeypatch.setattr(building, "_say", say)
    assert not building.build(bundle.pk)
    bundle.refresh_from_db()
    assert (bundle.state, bundle.failure, bundle.progress) == ("cancelled", "withdrawn", 0)
    assert not Delivery.objects.exists()
    assert not list(storage.rglob("*.zip"))
