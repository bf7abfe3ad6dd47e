"""Grants in the admin: two people, what is seen is what is approved, and the end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from engagement.models import Title
from partners import grants
from partners.access import scope_for
from partners.models import AuditEvent, Grant, Holding
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff, confirmed


def form(cast: Cast, **fields: Any) -> dict[str, Any]:
    today = timezone.localtime()
    return {
        "partner": str(cast.aurora.pk),
        "contract_reference": "C-77",
        "titles": [cast.hidden.pk],
        "families": ["retention", "danmu"],
        "data_from": "2026-01-01",
        "data_until": "2026-02-01",
        "territories": ["CN", "SG"],
        "exits": ["web"],
        "valid_from_0": f"{today:%Y-%m-%d}",
        "valid_from_1": "00:00:00",
        "valid_until_0": "",
        "valid_until_1": "",
        **fields,
    }


def step(grant: Grant, name: str) -> str:
    return reverse(f"admin:partners_grant_{name}", args=[grant.pk])


@pytest.fixture
def made(cast: Cast, staff: Staff) -> Grant:
    """Mona has proposed Aurora's hidden title by the form."""
    response = SignedIn(staff.mona).post(reverse("admin:partners_grant_add"), form(cast))
    assert response.status_code == 302, response.context["errors"]
    return Grant.objects.get(contract_reference="C-77")


def seen(grant: Grant) -> dict[str, str]:
    return {"seen": grants.digest(grants.opens(grant))}


def test_a_made_grant_is_proposed_by_its_maker_and_opens_nothing(
    cast: Cast, staff: Staff, made: Grant
) -> None:
    assert (made.state, made.made_by, made.approved_by) == ("proposed", staff.mona, None)
    assert made.families == ["retention", "danmu"]
    assert made.territories == ["CN", "SG"]
    assert cast.hidden.pk not in scope_for(cast.alice, "web").titles()
    told = AuditEvent.objects.get(action="grant.made")
    assert (told.actor, told.partner, told.ip) == (staff.mona, cast.aurora, "127.0.0.1")
    assert told.detail["titles"] == ["hidden"]


def test_the_maker_is_taken_from_the_request_not_from_the_form(cast: Cast, staff: Staff) -> None:
    SignedIn(staff.mona).post(
        reverse("admin:partners_grant_add"),
        form(
            cast,
            made_by=str(staff.max.pk),
            state="approved",
            approved_by=str(staff.mona.pk),
            approved_at="2026-01-01",
        ),
    )
    grant = Grant.objects.get(contract_reference="C-77")
    assert (grant.state, grant.made_by, grant.approved_by) == ("proposed", staff.mona, None)


def test_another_person_approves_what_the_page_lists(cast: Cast, staff: Staff, made: Grant) -> None:
    client = SignedIn(staff.max)
    page = client.get(step(made, "approve"))
    text = page.content.decode()
    for shown in ("Not Granted", "2026-01-01", "2026-02-01", "CN China", "SG Singapore",
                  "retention", "danmu", "pages"):  # fmt: skip
        assert shown in text
    assert "downloaded files" not in text
    openings = grants.opens(made)

    client.post(step(made, "approve"), {"seen": page.context["seen"]})
    made.refresh_from_db()
    assert (made.state, made.approved_by) == ("approved", staff.max)
    assert [
        (e.title, e.families, e.territories, e.exits, e.data_from, e.data_until)
        for e in made.entitlements.all()
    ] == [
        (o.title, [*o.families], [*o.territories], [*o.exits], o.window.since, o.window.until)
        for o in openings
    ]
    assert scope_for(cast.alice, "web").families(cast.hidden.pk) == {"retention", "danmu"}


def test_the_maker_sees_the_preview_and_no_button(staff: Staff, made: Grant) -> None:
    client = SignedIn(staff.mona)
    page = client.get(step(made, "approve")).content.decode()
    assert "CN China" in page
    assert 'name="seen"' not in page
    change = client.get(step(made, "change")).content.decode()
    assert "CN China" in change
    assert step(made, "approve") not in change


def test_a_forged_approval_by_the_maker_is_refused(staff: Staff, made: Grant) -> None:
    for user in (staff.mona, staff.mona):
        response = SignedIn(user).post(step(made, "approve"), seen(made), follow=True)
        assert "somebody else than its maker" in response.content.decode()
    made.refresh_from_db()
    assert (made.state, made.entitlements.count()) == ("proposed", 0)


def test_a_superuser_does_not_approve_their_own_grant(cast: Cast, staff: Staff) -> None:
    client = SignedIn(staff.root)
    client.post(reverse("admin:partners_grant_add"), form(cast))
    grant = Grant.objects.get(contract_reference="C-77")
    client.post(step(grant, "approve"), seen(grant))
    grant.refresh_from_db()
    assert grant.state == "proposed"


def test_approving_needs_the_permission(cast: Cast, staff: Staff, made: Grant) -> None:
    staff.max.groups.clear()
    assert SignedIn(staff.max).post(step(made, "approve"), seen(made)).status_code == 404
    assert SignedIn(staff.dora).post(step(made, "approve"), seen(made)).status_code == 404
    made.refresh_from_db()
    assert made.state == "proposed"


def test_a_get_changes_nothing(staff: Staff, made: Grant) -> None:
    client = SignedIn(staff.max)
    before = AuditEvent.objects.count()
    for name in ("approve", "revoke", "expiry"):
        assert client.get(step(made, name), seen(made)).status_code == 200
    made.refresh_from_db()
    assert made.state == "proposed"
    assert AuditEvent.objects.count() == before


def test_what_changed_since_it_was_seen_is_not_approved(
    cast: Cast, staff: Staff, made: Grant
) -> None:
    before = seen(made)
    SignedIn(staff.mona).post(step(made, "change"), form(cast, territories=["*"]))
    made.refresh_from_db()
    assert made.territories == ["*"]
    for forged in (before, {}):
        SignedIn(staff.max).post(step(made, "approve"), forged)
        made.refresh_from_db()
        assert made.state == "proposed"
    told = AuditEvent.objects.get(action="grant.changed")
    assert told.detail["before"] == {"territories": ["CN", "SG"]}
    assert told.detail["territories"] == ["*"]


def test_nobody_but_the_maker_changes_a_proposed_grant(
    cast: Cast, staff: Staff, made: Grant
) -> None:
    """Else the second person could widen it and then approve their own widening."""
    for user in (staff.max, staff.root):
        response = SignedIn(user).post(step(made, "change"), form(cast, territories=["*"]))
        assert response.status_code == 403
    made.refresh_from_db()
    assert made.territories == ["CN", "SG"]


def test_an_approved_grant_is_changed_by_nobody(cast: Cast, staff: Staff, made: Grant) -> None:
    grants.approve(made, by=staff.max)
    for user in (staff.mona, staff.max, staff.root):
        response = SignedIn(user).post(step(made, "change"), form(cast, territories=["*"]))
        assert response.status_code == 403
        assert SignedIn(user).post(step(made, "delete"), {"post": "yes"}).status_code == 403
    made.refresh_from_db()
    assert made.territories == ["CN", "SG"]


def test_revoking_bites_at_once(cast: Cast, staff: Staff) -> None:
    grant = cast.grants["film"]
    assert cast.film.pk in scope_for(cast.alice, "web").titles()
    page = SignedIn(staff.mona).get(step(grant, "revoke")).content.decode()
    assert "The Long Night" in page
    SignedIn(staff.mona).post(step(grant, "revoke"))
    assert cast.film.pk not in scope_for(cast.alice, "web").titles()
    grant.refresh_from_db()
    assert (grant.state, grant.revoked_by) == ("revoked", staff.mona)
    assert AuditEvent.objects.get(action="grant.revoked").actor == staff.mona


def test_an_end_is_set_once_and_then_only_earlier(cast: Cast, staff: Staff) -> None:
    grant, client = cast.grants["film"], SignedIn(staff.mona)
    day = timezone.localtime() + timedelta(days=20)

    def set_end(at: Any) -> int:
        return client.post(
            step(grant, "expiry"), {"at_0": f"{at:%Y-%m-%d}", "at_1": "12:00:00"}
        ).status_code

    assert set_end(day) == 302
    assert set_end(day + timedelta(days=1)) == 200
    assert set_end(timezone.localtime() - timedelta(days=2)) == 200
    grant.refresh_from_db()
    assert timezone.localtime(grant.valid_until) == day.replace(
        hour=12, minute=0, second=0, microsecond=0
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("families", ["money"]),
        ("families", []),
        ("territories", ["XX"]),
        ("territories", []),
        ("exits", ["fax"]),
        ("exits", []),
        ("titles", []),
        ("titles", [999_999]),
        ("contract_reference", ""),
        ("data_until", "2026-01-01"),
        ("valid_from_0", "2020-01-01"),
        ("valid_until_0", "2020-01-01"),
    ],
)
def test_what_is_not_on_the_lists_is_refused(
    cast: Cast, staff: Staff, field: str, value: Any
) -> None:
    more = {"valid_until_1": "00:00:00"} if field == "valid_until_0" else {}
    response = SignedIn(staff.mona).post(
        reverse("admin:partners_grant_add"), form(cast, **{field: value}, **more)
    )
    assert response.status_code == 200
    assert response.context["errors"]
    assert not Grant.objects.filter(contract_reference="C-77").exists()


def test_all_territories_beside_others_is_all(cast: Cast, staff: Staff) -> None:
    SignedIn(staff.mona).post(
        reverse("admin:partners_grant_add"), form(cast, territories=["CN", "*"])
    )
    assert Grant.objects.get(contract_reference="C-77").territories == ["*"]


def test_the_preview_marks_titles_of_others(cast: Cast, staff: Staff, made: Grant) -> None:
    made.titles.add(cast.foreign)
    page = SignedIn(staff.max).get(step(made, "approve")).content.decode()
    assert page.count("not held by this partner") == 2  # the sentence above, and the row
    made.titles.remove(cast.foreign)
    assert "not held" not in SignedIn(staff.max).get(step(made, "approve")).content.decode()


def test_a_holding_saved_or_removed_refreshes_a_granted_series(cast: Cast, staff: Staff) -> None:
    series = Title.objects.create(key="s", slug="s", kind="series", name_zh="剧")
    episode = Title.objects.create(
        key="s-1", slug="s-1", kind="episode", name_zh="一", parent=series
    )
    cast.grant(cast.aurora, series)
    client = SignedIn(staff.mona)
    assert episode.pk not in scope_for(cast.alice, "web").titles()
    confirmed(
        client,
        reverse("admin:partners_holding_add"),
        {"partner": str(cast.aurora.pk), "title": episode.pk, "territories": ["CN"]},
    )
    assert episode.pk not in scope_for(cast.alice, "web").titles()  # one person does not widen
    proposal = Grant.objects.get(state="proposed")
    assert (proposal.made_by, proposal.replaces.partner) == (staff.mona, cast.aurora)
    SignedIn(staff.mona).post(step(proposal, "approve"), seen(proposal))
    assert episode.pk not in scope_for(cast.alice, "web").titles()
    SignedIn(staff.max).post(step(proposal, "approve"), seen(proposal))
    assert episode.pk in scope_for(cast.alice, "web").titles()
    holding = Holding.objects.get(title=episode)
    confirmed(client, reverse("admin:partners_holding_delete", args=[holding.pk]), {"post": "yes"})
    assert episode.pk not in scope_for(cast.alice, "web").titles()
    told = AuditEvent.objects.filter(action__startswith="holding.").order_by("id")
    assert [(e.action, e.actor) for e in told] == [
        ("holding.added", staff.mona),
        ("holding.removed", staff.mona),
    ]
