"""The pages of reports: asking for a bundle, and making, changing and ending a schedule."""

from __future__ import annotations

import re

import pytest

from partners.models import Membership
from reports import schedules
from reports.models import Bundle
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.portal.web.reading import visible

NEW = "/p/aurora/reports/schedule/new/"


@pytest.fixture
def alice(cast: Cast) -> SignedIn:
    return SignedIn(cast.alice.user)


def test_a_bundle_is_asked_for_and_its_progress_shown(cast: Cast, alice: SignedIn) -> None:
    asked = {"titles": [cast.film.pk], "since": "2026-01-01", "until": "2026-01-11"}
    asked |= {"language": "en", "formats": ["xlsx"], "paper": "letter"}
    response = alice.post("/p/aurora/reports/", asked)
    bundle = Bundle.objects.get()
    assert response["Location"] == f"/p/aurora/reports/{bundle.pk}/"
    assert (bundle.formats, bundle.paper) == (["xlsx"], "letter")
    part = alice.get(f"/p/aurora/reports/{bundle.pk}/progress/").content.decode()
    assert 'hx-trigger="every 2s"' in part
    assert "queued 0 %" in visible(part.encode())
    assert "<html" not in part
    bundle.state, bundle.failure = "failed", "nothing"
    bundle.save()
    part = alice.get(f"/p/aurora/reports/{bundle.pk}/progress/").content.decode()
    assert "hx-get" not in part
    assert "There are no settled numbers in this period yet." in part


def test_a_title_that_is_not_granted_cannot_be_asked_for(cast: Cast, alice: SignedIn) -> None:
    for title in (cast.hidden, cast.foreign):
        asked = {"titles": [title.pk], "since": "2026-01-01", "until": "2026-01-11"}
        assert alice.post("/p/aurora/reports/", asked | {"language": "en"}).status_code == 200
    assert not Bundle.objects.exists()


def test_a_schedule_is_made_paused_resumed_changed_and_deleted(cast: Cast, alice: SignedIn) -> None:
    written = {
        "name": "Weekly",
        "titles": [cast.film.pk],
        "weekday": 2,
        "hour": 9,
        "zone": "Asia/Shanghai",
        "language": "en",
        "recipients": [cast.alice.pk, cast.victor.pk],
    }
    assert alice.post(NEW, written).status_code == 302
    html = alice.get("/p/aurora/reports/").content.decode()
    [base] = re.findall(r"(/p/aurora/reports/schedule/[0-9a-f-]{36}/)\"", html)
    assert "Victor" in html
    assert "Next:" in html
    assert alice.post(base + "pause/").status_code == 302
    assert "Paused" in visible(alice.get("/p/aurora/reports/").content)
    assert alice.post(base + "resume/").status_code == 302
    assert alice.post(base, written | {"name": "Each week"}).status_code == 302
    assert "Each week" in visible(alice.get("/p/aurora/reports/").content)
    # nobody else's: an analyst sees own ones, a viewer and a stranger none
    for member in (cast.amy, cast.victor, cast.bob):
        assert SignedIn(member.user).get(base).status_code == 404
        assert SignedIn(member.user).post(base + "delete/").status_code == 404
    assert alice.get(base + "delete/").status_code == 405
    assert alice.post(base + "delete/").status_code == 302
    assert alice.get(base).status_code == 404


def test_case_16_a_title_that_who_changes_a_report_cannot_see_stays_in_it(cast: Cast) -> None:
    """Left out of the form it would be lost, and the last one lost would mean all titles."""
    film = {"membership": cast.amy, "titles": [cast.film.pk], "recipients": [cast.victor.pk]}
    when = {"weekday": 2, "hour": 9, "zone": "Asia/Shanghai", "language": "en"}
    schedule = schedules.create(name="Weekly", **film, **when)
    Membership.objects.filter(pk=cast.alice.pk).update(limit_titles=[cast.shared.pk])
    alice, page = SignedIn(cast.alice.user), f"/p/aurora/reports/schedule/{schedule.pk}/"
    shown = alice.get(page).content.decode()
    assert "The Long Night" not in shown
    [ticked] = re.findall(r'name="titles" value="([^"]*)"[^>]*checked', shown)
    assert "1 title that is closed to you" in visible(shown.encode())
    form = when | {"name": "Later", "hour": 10, "recipients": [cast.victor.pk]}
    for titles, kept in (
        ([ticked], [cast.film.pk]),
        ([ticked, cast.shared.pk], [cast.film.pk, cast.shared.pk]),
        ([cast.film.pk], [cast.film.pk, cast.shared.pk]),  # by its id it is not to be had
        ([cast.shared.pk], [cast.shared.pk]),
        ([ticked], [cast.shared.pk]),  # gone, it does not come back
        ([], None),
    ):
        alice.post(page, form | {"titles": titles})
        schedule.refresh_from_db()
        assert schedule.titles == kept, titles


def test_recipients_are_members_of_the_partner_only(cast: Cast, alice: SignedIn) -> None:
    page = alice.get(NEW).content.decode()
    assert str(cast.victor.pk) in page
    assert str(cast.bob.pk) not in page
    written = {
        "name": "Weekly",
        "weekday": 2,
        "hour": 9,
        "zone": "Asia/Shanghai",
        "language": "en",
        "recipients": [cast.bob.pk],
    }
    assert alice.post(NEW, written).status_code == 200  # the form again, with its error
