"""The partner pages: what is shown to whom, in both languages, and what is not there at all."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from engagement.models import Title
from partners import grants
from partners.models import Membership, User
from reports.models import Bundle
from tests.cast import CANARY, Cast
from tests.conftest import SignedIn
from tests.portal.web.reading import visible

FILM = "/p/aurora/titles/film/"
JANUARY = FILM + "?from=2026-01-01&until=2026-01-11"
PAGES = ["/p/aurora/", FILM, FILM + "?view=table", "/p/aurora/reports/"]
NEW = "/p/aurora/reports/schedule/new/"


@pytest.fixture
def alice(cast: Cast) -> SignedIn:
    return SignedIn(cast.alice.user)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_for_sign_in_first(cast: Cast, path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 302
    assert response["Location"].startswith("/account/login/?next=/p/aurora/")


def test_foreign_made_up_and_ungranted_are_the_same_answer(cast: Cast, alice: SignedIn) -> None:
    nowhere = alice.get("/p/no-such-partner/")
    assert nowhere.status_code == 404
    for path in (
        "/p/borealis/",
        "/p/borealis/titles/foreign/",
        "/p/borealis/reports/",
        "/p/aurora/titles/foreign/",
        "/p/aurora/titles/hidden/",
        "/p/aurora/titles/no-such-title/",
        "/p/aurora/titles/foreign/csv/viewing/",
        "/p/aurora/titles/film/csv/no-such-resource/",
        f"/p/aurora/reports/{uuid4()}/",
        f"/p/aurora/reports/{uuid4()}/download/",
        f"/p/aurora/reports/schedule/{uuid4()}/",
    ):
        response = alice.get(path)
        assert (response.status_code, response.content) == (404, nowhere.content), path


def test_a_bundle_of_another_partner_is_as_one_that_is_not(cast: Cast, alice: SignedIn) -> None:
    theirs = Bundle.objects.create(
        partner=cast.borealis,
        recipient=cast.bob,
        from_day=date(2026, 1, 1),
        until=date(2026, 1, 11),
        language="en",
    )
    made_up = alice.get(f"/p/aurora/reports/{uuid4()}/")
    for part in ("", "progress/", "download/"):
        for partner in ("aurora", "borealis"):
            response = alice.get(f"/p/{partner}/reports/{theirs.pk}/{part}")
            assert (response.status_code, response.content) == (404, made_up.content)


def test_a_revoked_grant_closes_the_page_on_the_next_request(cast: Cast, alice: SignedIn) -> None:
    assert alice.get(FILM).status_code == 200
    grants.revoke(cast.grants["film"], by=cast.sam)
    assert alice.get(FILM).content == alice.get("/p/aurora/titles/no-such-title/").content
    assert "The Long Night" not in visible(alice.get("/p/aurora/").content)


def test_the_portfolio_shows_what_is_granted_and_nothing_of_others(
    cast: Cast, alice: SignedIn
) -> None:
    page = alice.get("/p/aurora/")
    words = visible(page.content)
    assert "The Long Night" in words
    assert "Shared" in words
    assert "Not Granted" not in words
    assert "ZQB" not in page.content.decode()
    assert str(CANARY) not in page.content.decode()


def test_the_portfolio_finds_by_kind_and_name(cast: Cast, alice: SignedIn) -> None:
    def found(query: str) -> list[str]:
        html = alice.get("/p/aurora/" + query).content.decode()
        return re.findall(r'titles/([a-z-]+)/">', html)

    assert found("") == ["film", "shared"]
    assert found("?q=long") == ["film"]
    assert found("?q=长夜") == ["film"]
    assert found("?kind=film") == ["film", "shared"]
    assert found("?kind=no-such-kind&q=合拍") == ["shared"]
    assert found("?q=nothing-like-it") == []


def test_a_partner_without_grants_is_told_so(cast: Cast, alice: SignedIn) -> None:
    for name in ("film", "shared"):
        grants.revoke(cast.grants[name], by=cast.sam)
    assert "No title is open to you yet" in visible(alice.get("/p/aurora/").content)


def test_the_title_page_states_exact_sums(cast: Cast, alice: SignedIn) -> None:
    words = visible(alice.get(JANUARY).content)
    # ten days of 150 plays of 90 s, half of them completed
    assert "1,500" in words
    assert "37.5" in words  # hours
    assert "50.0%" in words
    assert "Data through 10 January 2026 (settled)" in words


def test_without_recent_days_everything_measured_is_shown(cast: Cast, alice: SignedIn) -> None:
    assert visible(alice.get(FILM).content) == visible(alice.get(JANUARY).content)


def test_only_the_granted_families_appear(cast: Cast, alice: SignedIn) -> None:
    grants.revoke(cast.grants["film"], by=cast.sam)
    cast.grant(cast.aurora, cast.film, families=["retention"])
    html = alice.get(JANUARY).content.decode()
    assert "/titles/film/retention/?" in html
    for family in ("viewing", "rewatch", "danmu", "danmu_comments"):
        assert f"/titles/film/{family}/" not in html
    assert "哈哈哈" not in html
    assert "1,500" not in visible(html.encode())


def test_the_chart_reads_what_rest_answers(cast: Cast, alice: SignedIn) -> None:
    html = alice.get(JANUARY).content.decode()
    for family in ("retention", "rewatch", "danmu", "comments"):
        [url] = re.findall(rf'data-{family}="(/api[^"]+)"', html)
        assert alice.get(url.replace("&amp;", "&")).status_code == 200, url


def test_a_window_beyond_the_grant_is_clipped_and_said(cast: Cast, alice: SignedIn) -> None:
    grants.revoke(cast.grants["film"], by=cast.sam)
    cast.grant(cast.aurora, cast.film, data_from=date(2026, 1, 3), data_until=date(2026, 1, 6))
    words = visible(alice.get(JANUARY).content)
    assert "450" in words  # three days of 150 plays
    assert re.search(r"Asked: 1 Jan.* – 10 Jan.*Answered: 3 Jan.* – 5 Jan", words)
    html = alice.get(JANUARY).content.decode()
    [url] = re.findall(r'data-retention="(/api[^"]+)"', html)
    answer = alice.get(url.replace("&amp;", "&")).json()
    assert answer["answered"] == [{"territory": "*", "from": "2026-01-03", "until": "2026-01-06"}]


def test_a_window_with_nothing_granted_says_so(cast: Cast, alice: SignedIn) -> None:
    grants.revoke(cast.grants["film"], by=cast.sam)
    cast.grant(cast.aurora, cast.film, data_until=date(2026, 1, 6))
    page = alice.get(FILM + "?from=2026-02-01&until=2026-02-05")
    assert page.status_code == 200
    assert "Nothing of what was asked is granted" in visible(page.content)


@pytest.mark.parametrize(
    "query",
    [
        "?from=yesterday",
        "?from=2026-01-05&until=2026-01-01",
        "?from=0000-00-00&until=9999-12-31",
        "?territory=%27%3B--",
        "?at=-5",
        "?at=99:99:99:99",
        "?at=9999999999999999999",
        "?moment=zwölf",
        "?page=-1",
    ],
)
def test_a_url_that_cannot_be_read_is_no_error(cast: Cast, alice: SignedIn, query: str) -> None:
    assert alice.get(FILM + query).status_code == 200
    assert alice.get("/p/aurora/" + query).status_code == 200


def test_comments_stand_at_their_moment_without_a_script(cast: Cast, alice: SignedIn) -> None:
    assert "哈哈哈 CN 01" in visible(alice.get(JANUARY).content)  # the strongest danmu peak
    assert "哈哈哈 CN 01" in visible(alice.get(JANUARY + "&at=0:00:30").content)
    assert "哈哈哈" not in visible(alice.get(JANUARY + "&at=1:50").content)


def moments_on(page: str) -> list[tuple[str, str]]:
    """(kind, words) of the moments that the panel lists."""
    links = re.findall(r'<a href[^>]*?data-kind="(\w+)".*?>(.*?)</a>', page, re.S)
    return [(kind, visible(words.encode())) for kind, words in links]


def test_the_panel_lists_the_named_moments_that_the_api_answers(
    cast: Cast, alice: SignedIn
) -> None:
    rows = alice.get(
        "/api/v1/p/aurora/titles/film/moments/?from=2026-01-01&until=2026-01-11"
    ).json()["rows"]
    page = alice.get(JANUARY).content.decode()
    assert [kind for kind, _ in moments_on(page)] == [r["kind"] for r in rows]
    assert moments_on(page) == [
        ("opening", "1 0:00:00 – 0:00:30 100.0% still there at 30 s"),
        ("stop", "2 0:00:54 – 0:01:05 50.0% of those watching left, beyond the usual"),
        ("rewatch", "3 0:00:33 – 0:00:48 0.02 rewatches a session above the usual"),
        ("danmu_peak", "4 0:00:23 – 0:00:38 6.0 times the usual danmu of those watching"),
    ]
    chinese = SignedIn(cast.alice.user, "zh-hans").get(JANUARY).content.decode()
    assert moments_on(chinese)[0] == ("opening", "1 0:00:00 – 0:00:30 30 秒时仍有 100.0% 在观看")


def test_moments_need_their_family_and_comments_need_danmu(cast: Cast, alice: SignedIn) -> None:
    grants.revoke(cast.grants["film"], by=cast.sam)
    watched = cast.grant(cast.aurora, cast.film, families=["retention"])
    page = alice.get(JANUARY + "&moment=2").content.decode()
    assert [kind for kind, _ in moments_on(page)] == ["opening", "stop"]
    assert "哈哈哈" not in page
    assert "Another moment" not in visible(page.encode())
    grants.revoke(watched, by=cast.sam)
    cast.grant(cast.aurora, cast.film, families=["danmu"])
    page = alice.get(JANUARY).content.decode()
    assert moments_on(page) == [("danmu_minute", "1 0:00:00 – 0:01:00 40 danmu")]
    assert "哈哈哈 CN 01" in visible(alice.get(JANUARY + "&at=0:00:30").content)


def test_the_table_holds_the_numbers_of_the_chart_by_minute(cast: Cast, alice: SignedIn) -> None:
    words = visible(alice.get(JANUARY + "&view=table").content)
    # minute 0: everybody; starts 1,500; half of them stop at its end; danmu 4 a day
    assert "0:00:00 1.000 1,500 750 0 370 1.004 40" in words
    assert "0:01:00 0.500 0 750 0 0 0.500 0" in words


def test_definitions_are_one_click_away_in_both_languages(cast: Cast) -> None:
    english = visible(SignedIn(cast.alice.user).get(JANUARY).content)
    assert "Sessions divided by plays." in english
    chinese = visible(SignedIn(cast.alice.user, "zh-hans").get(JANUARY).content)
    for words in (
        "会话数 ÷ 播放次数。",
        "时间线",
        "关键时刻",
        "数据截至 2026年1月10日（已结算）",
        "长夜",
    ):
        assert words in chinese


def test_sample_data_is_marked(cast: Cast, alice: SignedIn) -> None:
    assert "Sample data" not in visible(alice.get(FILM).content)
    Title.objects.filter(pk=cast.film.pk).update(sample=True)
    assert "Sample data" in visible(alice.get(FILM).content)
    assert "Sample data" in visible(alice.get("/p/aurora/").content)


def test_a_viewer_gets_no_file_and_sets_up_nothing(cast: Cast, alice: SignedIn) -> None:
    victor = SignedIn(cast.victor.user)
    assert "/csv/" in alice.get(FILM).content.decode()
    page = victor.get(FILM).content.decode()
    assert "/csv/" not in page
    assert "Ask for a bundle" not in page
    assert alice.get(FILM + "csv/viewing/").status_code == 200
    assert victor.get(FILM + "csv/viewing/").status_code == 404
    assert alice.get(NEW).status_code == 200
    assert victor.get(NEW).status_code == 404
    assert 'name="titles"' not in victor.get("/p/aurora/reports/").content.decode()
    asked = {"titles": [cast.film.pk], "since": "2026-01-01", "until": "2026-01-11"}
    victor.post("/p/aurora/reports/", asked | {"language": "en"})
    assert not Bundle.objects.exists()


def test_pages_without_the_export_exit_offer_no_file(cast: Cast, alice: SignedIn) -> None:
    grants.revoke(cast.grants["film"], by=cast.sam)
    cast.grant(cast.aurora, cast.film, exits=["web"])
    assert "/csv/" not in alice.get(FILM).content.decode()
    assert alice.get(FILM + "csv/viewing/").status_code == 404


def test_the_csv_of_the_page_is_that_of_rest(cast: Cast, alice: SignedIn) -> None:
    window = "?from=2026-01-02&until=2026-01-05"
    page = alice.get(FILM + "csv/viewing/" + window)
    rest = alice.get(
        "/api/v1/p/aurora/titles/film/viewing/" + window, headers={"accept": "text/csv"}
    )
    assert page.content == rest.content
    assert page["Content-Disposition"] == 'attachment; filename="film-viewing.csv"'


def test_home_leads_to_the_one_partner_a_choice_or_the_admin(cast: Cast) -> None:
    alice = SignedIn(cast.alice.user)
    assert alice.get("/")["Location"] == "/p/aurora/"
    Membership.objects.create(user=cast.alice.user, partner=cast.cirrus, role="viewer")
    words = visible(alice.get("/").content)
    assert "Aurora" in words
    assert "Cirrus" in words
    assert SignedIn(cast.stella).get("/")["Location"] == "/admin/"
    nobody = User.objects.create_user("nobody@example.com", name="N")
    assert "No partner yet" in visible(SignedIn(nobody).get("/").content)


def test_a_suspended_partner_is_gone(cast: Cast, alice: SignedIn) -> None:
    type(cast.aurora).objects.filter(pk=cast.aurora.pk).update(suspended_at=timezone.now())
    assert alice.get("/p/aurora/").content == alice.get("/p/no-such-partner/").content
    assert "No partner yet" in visible(alice.get("/").content)


def test_the_language_switch_is_remembered(cast: Cast, alice: SignedIn) -> None:
    alice.post("/language/", {"language": "zh-hans", "next": "/p/aurora/"})
    assert "作品" in visible(alice.get("/p/aurora/").content)
    cast.alice.user.refresh_from_db()
    assert cast.alice.user.language == "zh-hans"
    elsewhere = alice.post("/language/", {"language": "en", "next": "https://evil.example/"})
    assert elsewhere["Location"] == "/"


@pytest.mark.parametrize("path", [*PAGES, "/", "/account/login/", "/account/password/reset/", NEW])
@pytest.mark.parametrize("who", ["alice", None])
def test_no_page_has_inline_script_or_style(cast: Cast, path: str, who: str | None) -> None:
    client = SignedIn(cast.alice.user) if who else Client()
    response = client.get(path, follow=True)
    html = response.content.decode()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", html)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html))
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize(
    ("path", "at_most"),
    [("/p/aurora/", 40), (JANUARY, 70), ("/p/aurora/reports/", 25), (NEW, 20)],
)
def test_every_page_asks_the_database_a_bounded_number_of_times(
    cast: Cast,
    alice: SignedIn,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    path: str,
    at_most: int,
) -> None:
    with django_assert_max_num_queries(at_most):
        alice.get(path)


def test_a_longer_portfolio_costs_two_reads_a_title(
    cast: Cast, alice: SignedIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    more = [
        Title.objects.create(key=f"t{n}", slug=f"t{n}", kind="film", name_zh=f"片{n}")
        for n in range(60)
    ]
    cast.grant(cast.aurora, *more, valid_from=datetime(2026, 1, 1, tzinfo=UTC))
    with django_assert_max_num_queries(40 + 2 * 40):
        page = alice.get("/p/aurora/").content.decode()
    assert "1 / 2" in page
