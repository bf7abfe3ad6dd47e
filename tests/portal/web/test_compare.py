"""Titles beside each other: each under its own grant, and the same numbers as on its own page."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest

from engagement.families.registry import RESOURCES
from engagement.query import run
from engagement.scope import Query, Window
from partners import grants
from partners.access import scope_for
from partners.models import AuditEvent
from portal.web.tables import beside
from tests.cast import CANARY, SECONDS, Cast
from tests.conftest import SignedIn
from tests.portal.web.test_pages import visible

COMPARE = "/p/aurora/compare/"
JANUARY = Window(date(2026, 1, 1), date(2026, 1, 11))
DAYS = "&from=2026-01-01&until=2026-01-11"


@pytest.fixture
def alice(cast: Cast) -> SignedIn:
    return SignedIn(cast.alice.user)


def items(page: str) -> list[dict[str, Any]]:
    [text] = re.findall(r'<script id="compare-items"[^>]*>(.*?)</script>', page, re.S)
    found: list[dict[str, Any]] = json.loads(text)
    return found


def table_of(page: str) -> list[list[str]]:
    """The cells of the numbers behind the chart."""
    body = page[page.index('<div class="scroll tall"') :]
    rows = re.findall(r"<tr>(.*?)</tr>", body[: body.index("</table>")], re.S)
    return [re.findall(r'<td class="number">(.*?)</td>', row) for row in rows[2:]]


def test_a_title_that_is_not_granted_is_as_one_that_is_not(cast: Cast, alice: SignedIn) -> None:
    nowhere = alice.get("/p/no-such-partner/")
    for slug in ("foreign", "hidden", "no-such-title"):
        for query in (f"?title={slug}", f"?title=film&title={slug}"):
            page = alice.get(COMPARE + query)
            assert (page.status_code, page.content) == (404, nowhere.content), query
    assert alice.get("/p/borealis/compare/?title=foreign").content == nowhere.content


def test_only_granted_titles_are_offered(cast: Cast, alice: SignedIn) -> None:
    page = alice.get(COMPARE).content.decode()
    offered = set(re.findall(r'<option value="([\w-]+)"', page))
    assert {"film", "shared"} <= offered
    assert not offered & {"foreign", "hidden"}
    assert "ZQB" not in page
    assert str(CANARY) not in page
    assert "Nothing to compare yet" in visible(page.encode())


def test_each_has_the_numbers_of_its_own_page(cast: Cast, alice: SignedIn) -> None:
    page = alice.get(f"{COMPARE}?title=film{DAYS}&title=shared{DAYS}").content.decode()
    words = visible(page.encode())
    assert "1,500" in words  # the film's ten days of 150 plays
    for slug in ("film", "shared"):
        own = visible(alice.get(f"/p/aurora/titles/{slug}/?{DAYS[1:]}").content)
        [plays] = re.findall(r"Plays .*? ([\d,]+) Viewers", own)[:1]
        assert plays in words
    first, second = items(page)
    assert set(first["urls"]) == {"retention", "rewatch", "danmu"}
    for one in (first, second):
        for url in one["urls"].values():
            assert alice.get(url).status_code == 200


def test_one_title_may_stand_there_with_two_windows(cast: Cast, alice: SignedIn) -> None:
    query = (
        "?title=film&from=2026-01-01&until=2026-01-03&title=film&from=2026-01-03&until=2026-01-06"
    )
    page = alice.get(COMPARE + query).content
    words = visible(page)
    assert "300" in words  # two days of 150
    assert "450" in words  # three
    assert [one["name"] for one in items(page.decode())] == ["The Long Night"] * 2


def test_families_and_days_that_are_not_granted_stay_out(cast: Cast, alice: SignedIn) -> None:
    grants.revoke(cast.grants["film"], by=cast.sam)
    cast.grant(
        cast.aurora,
        cast.film,
        families=["retention"],
        data_from=date(2026, 1, 3),
        data_until=date(2026, 1, 6),
    )
    page = alice.get(f"{COMPARE}?title=film{DAYS}&title=shared{DAYS}").content.decode()
    assert set(items(page)[0]["urls"]) == {"retention"}
    words = visible(page.encode())
    assert "1,500" not in words
    assert re.search(r"Asked: 1 Jan.* – 10 Jan.*\. Answered: 3 Jan.* – 5 Jan", words)
    gone = alice.get(f"{COMPARE}?title=film&from=2026-02-01&until=2026-02-05").content
    assert "Nothing of what was asked is granted" in visible(gone)


def test_at_most_four_are_compared_and_what_cannot_be_read_is_no_error(
    cast: Cast, alice: SignedIn
) -> None:
    page = alice.get(COMPARE + "?" + "title=film&" * 9).content.decode()
    assert len(items(page)) == 4
    for query in ("?axis=zwölf&title=film", "?title=&from=x", "?from=1&from=2&title=film&until=y"):
        assert alice.get(COMPARE + query).status_code == 200, query


def test_the_table_holds_the_numbers_of_the_curves(cast: Cast, alice: SignedIn) -> None:
    scope = scope_for(cast.alice, "web")
    curves = {
        name: run(Query(cast.film.pk, name, JANUARY), scope)
        for name in ("retention", "rewatch", "danmu")
    }
    by_minute = beside([curves], [SECONDS], by_share=False)
    shares = [float(v) for v in curves["retention"].data["retention"]]  # type: ignore[arg-type]
    assert by_minute.rows[1].at == 60
    assert by_minute.rows[1].cells[0] == pytest.approx(sum(shares[60:120]) / 60)
    by_share = beside([curves, {}], [SECONDS, 0], by_share=True)
    assert [row.at for row in by_share.rows] == list(range(0, 100, 5))
    assert by_share.rows[2].cells[0] == pytest.approx(sum(shares[12:18]) / 6)
    assert by_share.rows[2].cells[1] is None  # the second has no curve
    danmu = [row.cells[4] for row in by_share.rows]
    assert sum(v for v in danmu if v is not None) / len(danmu) == pytest.approx(1)
    assert RESOURCES["danmu"].columns[1].name == "comments"
    page = alice.get(f"{COMPARE}?title=film{DAYS}&axis=percent").content.decode()
    told = table_of(page)
    assert len(told) == 20
    assert float(told[2][0]) == pytest.approx(sum(shares[12:18]) / 6, abs=0.0006)


def test_the_trail_names_what_was_compared(cast: Cast, alice: SignedIn) -> None:
    alice.get(f"{COMPARE}?title=film{DAYS}&title=shared{DAYS}")
    event = AuditEvent.objects.filter(target="compare").latest("pk")
    assert event.action == "numbers.read"
    assert event.detail["titles"] == ["film", "shared"]
    assert event.detail["windows"] == [str(JANUARY)] * 2
