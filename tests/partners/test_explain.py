"""partners/explain.py: the explanation is the wall's own, for any grants and any question."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from engagement.models import Title
from engagement.scope import EVER
from partners import explain, grants
from partners.access import scope_for
from partners.models import LIVE, Entitlement, Grant, Holding, Membership
from partners.suspension import suspend
from tests.cast import Cast, make_cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff

DAY = date(2026, 1, 5)


def asked(cast: Cast, **fields: Any) -> explain.Question:
    return explain.Question(
        **{
            "partner": cast.aurora,
            "title": cast.film,
            "family": "danmu",
            "territory": "CN",
            "day": DAY,
            "exit": "web",
            "member": cast.amy,
            **fields,
        }
    )


def failed(answer: explain.Answer) -> set[str]:
    conditions = [*answer.of_person, *(c for r in answer.reasons for c in r.conditions)]
    return {c.name for c in conditions if not c.passed}


def test_who_sees_it_sees_it_by_these_rows(cast: Cast) -> None:
    answer = explain.why(asked(cast))
    assert answer.sees
    assert [r.grant for r in answer.reasons if r.opens] == [cast.grants["film"]]
    assert failed(answer) == set()


def test_each_condition_that_fails_is_named(cast: Cast) -> None:
    grant, now = cast.grants["shared"], timezone.now()
    shared = {"title": cast.shared}

    def why_not(**question: Any) -> set[str]:
        answer = explain.why(asked(cast, **shared, **question))
        assert not answer.sees
        return failed(answer)

    assert explain.why(asked(cast, **shared)).sees
    assert why_not(territory="SG") == {"territory"}
    assert why_not(exit="delta") == {"exit"}
    assert why_not(family="prerelease") == {"family"}
    assert why_not(member=cast.victor, exit="export") == {"role"}
    assert why_not(member=cast.bob) == {"member"}
    Membership.objects.filter(pk=cast.amy.pk).update(
        limit_titles=[cast.film.pk], limit_families=["viewing"]
    )
    cast.amy.refresh_from_db()
    assert why_not() == {"limit of titles", "limit of families"}
    question = {"member": None}
    Entitlement.objects.filter(grant=grant).update(data_from=date(2026, 1, 6))
    assert why_not(**question) == {"day"}
    Entitlement.objects.filter(grant=grant).update(valid_from=now + timedelta(hours=1))
    assert why_not(**question, day=date(2026, 1, 6)) == {"begun"}
    suspend(cast.aurora, by=cast.stella)
    cast.aurora.refresh_from_db()
    assert why_not(**question, day=date(2026, 1, 6)) == {"begun", "partner", "not suspended"}


def test_every_condition_of_the_wall_has_its_words() -> None:
    assert set(LIVE) <= set(explain.CONDITIONS)


def test_a_grant_that_opens_nothing_of_it_is_told_with_its_reason(cast: Cast) -> None:
    answer = explain.why(asked(cast, title=cast.hidden))
    assert (answer.sees, answer.reasons) == (False, ())
    waiting = Grant.objects.create(
        partner=cast.aurora, families=["danmu"], territories=["*"], exits=["web"],
        valid_from=timezone.now(), contract_reference="C-2", made_by=cast.stella,
    )  # fmt: skip
    waiting.titles.set([cast.hidden])
    assert failed(explain.why(asked(cast, title=cast.hidden))) == {"approved", "opens"}
    grants.revoke(cast.grants["film"], by=cast.stella)
    answer = explain.why(asked(cast))
    assert [(r.grant, r.opens) for r in answer.reasons] == [(cast.grants["film"], False)]
    assert failed(answer) == {"approved", "not revoked", "opens"}


def test_an_expired_grant_is_told_as_expired(cast: Cast) -> None:
    grants.expire(cast.grants["film"], at=timezone.now() - timedelta(hours=1), by=cast.stella)
    assert failed(explain.why(asked(cast))) == {"not expired"}


FAMILIES, TERRITORIES, EXITS = ("viewing", "danmu"), ("*", "CN", "SG"), ("web", "export")
some = lambda codes: st.lists(st.sampled_from(codes), min_size=1, unique=True)  # noqa: E731
drawn_grants = st.lists(
    st.fixed_dictionaries(
        {
            "families": some(FAMILIES),
            "territories": some(TERRITORIES),
            "exits": some(EXITS),
            "data_from": st.sampled_from([None, date(2026, 1, 3), DAY]),
            "data_until": st.sampled_from([None, date(2026, 1, 6), date(2026, 1, 8)]),
            "valid_from": st.sampled_from([-9, 9]),
            "ended": st.sampled_from(["", "revoked", "expired", "proposed"]),
            "role": st.sampled_from(["owner", "viewer"]),
        }
    ),
    max_size=3,
)


class TheExplanationIsTheWalls(TestCase):
    """Over grants at random: `why` says "sees" where the member's scope covers the cell."""

    @settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(drawn_grants)
    def test_it_never_says_other_than_the_scope(self, drawn: list[dict[str, Any]]) -> None:
        cast = make_cast()
        for terms in drawn:
            ended, role = terms.pop("ended"), terms.pop("role")
            begins = datetime.now(UTC) + timedelta(days=terms.pop("valid_from"))
            grant = Grant.objects.create(
                partner=cast.aurora, contract_reference="C-3", made_by=cast.stella,
                valid_from=begins, **terms,
            )  # fmt: skip
            grant.titles.set([cast.hidden])
            if ended != "proposed":
                grants.approve(grant, by=cast.sam)
            if ended == "revoked":
                grants.revoke(grant, by=cast.sam)
            elif ended == "expired" and begins < datetime.now(UTC):
                grants.expire(grant, at=datetime.now(UTC) - timedelta(days=1), by=cast.sam)
            Membership.objects.filter(pk=cast.amy.pk).update(role=role)
        cast.amy.refresh_from_db()
        for exit in EXITS:
            scope = scope_for(cast.amy, exit)
            for family in FAMILIES:
                for territory in TERRITORIES:
                    for day in (date(2026, 1, n) for n in (2, 4, 5, 7, 9)):
                        covered = any(
                            e.title_id == cast.hidden.pk
                            and family in e.families
                            and e.reaches(territory)
                            and e.window.since <= day < e.window.until
                            for e in scope.entitled
                        )
                        question = asked(
                            cast, title=cast.hidden, family=family, territory=territory,
                            exit=exit, day=day,
                        )  # fmt: skip
                        assert explain.why(question).sees == covered, question


def test_what_exactly_is_the_members_scope(cast: Cast) -> None:
    Membership.objects.filter(pk=cast.amy.pk).update(limit_families=["danmu"])
    cast.amy.refresh_from_db()
    exits = ("api", "email", "export", "web")
    assert [
        (p.title_id, p.families, p.territories, p.exits, p.box.window)
        for p in explain.what(cast.aurora, cast.amy)
    ] == [
        (cast.film.pk, ("danmu",), ("*",), exits, EVER),
        (cast.shared.pk, ("danmu",), ("CN",), exits, EVER),
    ]
    assert {p.title_id for p in explain.what(cast.cirrus)} == {cast.shared.pk}


# -- the page and the command ---------------------------------------------------------------------


def test_the_page_explains_to_staff_who_may_see_entitlements(cast: Cast, staff: Staff) -> None:
    url = reverse("admin:partners_partner_explain", args=[cast.aurora.pk])
    page = SignedIn(staff.mona).get(url).content.decode()
    assert "Exactly what is open now" in page
    assert "The Long Night" in page
    assert "ZQB" not in page
    question = {"title": cast.shared.pk, "family": "danmu", "territory": "SG",
                "day": "2026-01-05", "exit": "web", "member": str(cast.amy.pk)}  # fmt: skip
    text = SignedIn(staff.mona).get(url, question).content.decode()
    assert "Does not see it" in text
    assert "C-1" in text
    text = SignedIn(staff.mona).get(url, {**question, "territory": "CN"}).content.decode()
    assert ">Sees it<" in text
    assert SignedIn(staff.dora).get(url).status_code == 403
    other = SignedIn(staff.mona).get(url, {**question, "member": str(cast.bob.pk)})
    assert other.context["form"].errors.keys() == {"member"}


def test_the_command_explains(cast: Cast) -> None:
    def run(*args: str) -> str:
        out = StringIO()
        call_command("explain", *args, stdout=out)
        return out.getvalue()

    assert "shared  danmu,demographics" in run("aurora")
    question = ("aurora", "--title", "shared", "--family", "danmu", "--day", "2026-01-05")
    text = run(*question, "--territory", "CN", "--member", "amy@example.com")
    assert text.startswith("sees it\n  yes  is a member of the partner")
    assert "C-1" in text
    with pytest.raises(SystemExit, match="1"):
        run(*question, "--territory", "SG")
    assert run("cirrus", "--member", "cleo@example.com").count("\n") == 1


# -- shown before it is saved ---------------------------------------------------------------------


def test_a_holding_that_opens_a_child_is_shown_before_it_is_saved(cast: Cast, staff: Staff) -> None:
    series = Title.objects.create(key="s", slug="s", kind="series", name_zh="剧")
    child = Title.objects.create(key="s1", slug="s1", kind="episode", name_zh="一", parent=series)
    cast.grant(cast.aurora, series)
    client, url = SignedIn(staff.mona), reverse("admin:partners_holding_add")
    form = {"partner": str(cast.aurora.pk), "title": child.pk, "territories": ["CN"]}
    page = client.post(url, form)
    assert "What opens" in page.content.decode()
    assert "once another person approves it" in page.content.decode()
    assert not Holding.objects.filter(title=child).exists()
    assert child.pk not in scope_for(cast.alice, "web").titles()
    stale = client.post(url, {**form, "territories": ["CN", "SG"], "_seen": page.context["seen"]})
    assert "What opens" in stale.content.decode()
    assert not Holding.objects.filter(title=child).exists()
    assert client.post(url, {**form, "_seen": page.context["seen"]}).status_code == 302
    assert child.pk not in scope_for(cast.alice, "web").titles()
    grants.approve(Grant.objects.get(state="proposed"), by=staff.max)
    assert child.pk in scope_for(cast.alice, "web").titles()


def test_a_role_that_widens_is_shown_before_it_is_saved(cast: Cast, staff: Staff) -> None:
    client = SignedIn(staff.mona)
    url = reverse("admin:partners_membership_change", args=[cast.victor.pk])
    page = client.post(url, {"role": "analyst"})
    assert "What opens" in page.content.decode()
    cast.victor.refresh_from_db()
    assert cast.victor.role == "viewer"
    client.post(url, {"role": "analyst", "_seen": page.context["seen"]})
    cast.victor.refresh_from_db()
    assert cast.victor.role == "analyst"


def test_narrowing_shows_what_closes_and_then_does_it(cast: Cast, staff: Staff) -> None:
    grant, client = cast.grants["film"], SignedIn(staff.mona)
    url = reverse("admin:partners_grant_narrow", args=[grant.pk])
    form = {"titles": [cast.film.pk], "families": ["danmu"], "territories": ["CN"],
            "exits": ["web"], "data_from": "", "data_until": ""}  # fmt: skip
    begun = client.get(url).content.decode()  # with everything that is approved still chosen
    assert begun.count(" checked") == 1 + len(grant.families) + len(grant.exits)
    assert '<option value="*" selected>' in begun
    page = client.post(url, form)
    assert "What closes" in page.content.decode()
    assert "danmu" in scope_for(cast.alice, "export").families(cast.film.pk)
    assert client.post(url, {**form, "_seen": page.context["seen"]}).status_code == 302
    assert scope_for(cast.alice, "web").families(cast.film.pk) == {"danmu"}
    assert cast.film.pk not in scope_for(cast.alice, "export").titles()


def test_widening_begins_with_what_the_old_grant_opens(cast: Cast, staff: Staff) -> None:
    old = cast.grants["shared"]
    page = SignedIn(staff.mona).get(reverse("admin:partners_grant_add"), {"replaces": str(old.pk)})
    initial = page.context["adminform"].form.initial
    assert (initial["partner"], initial["territories"]) == (cast.aurora, ["CN"])
    assert list(initial["titles"]) == [cast.shared]
