"""The edges of the site: headers, hosts, file names, guesses, caches."""

from __future__ import annotations

import re
import socket
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.core import mail
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from partners import credentials
from portal.files import LONGEST_NAME, attached, safe_name
from tests.cast import CANARY, Cast
from tests.conftest import SignedIn

ROOT = Path(__file__).resolve().parents[2]
OF_A_PARTNER = (
    "/p/aurora/",
    "/p/aurora/titles/film/",
    "/p/aurora/reports/",
    "/api/v1/p/aurora/titles/",
    "/api/v1/p/aurora/titles/film/viewing/",
    "/p/aurora/titles/no-such-title/",
    "/api/v1/p/aurora/titles/no-such-title/viewing/",
)
OPEN = ("/account/login/", "/healthz", "/no-such-page", "/api/v1/no-such-thing")
STAFFS = ("/admin/", "/admin/partners/grant/", "/admin/partners/partner/")


def everywhere(cast: Cast) -> dict[str, Any]:
    member, staff = SignedIn(cast.alice.user), SignedIn(cast.stella)
    return {
        **{path: member.get(path) for path in OF_A_PARTNER},
        **{path: Client().get(path) for path in OPEN},
        **{path: staff.get(path) for path in STAFFS},
    }


# --- headers ---------------------------------------------------------------------------------


def test_every_answer_has_the_headers_that_keep_it_to_itself(cast: Cast) -> None:
    for path, answer in everywhere(cast).items():
        policy = {
            name: sources
            for name, _, sources in (
                part.strip().partition(" ") for part in answer["Content-Security-Policy"].split(";")
            )
        }
        assert policy["default-src"] == "'none'", path
        assert policy["script-src"] == policy["style-src"] == "'self'", path
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'", path
        assert "unsafe" not in answer["Content-Security-Policy"], path
        assert answer["X-Frame-Options"] == "DENY", path
        assert answer["X-Content-Type-Options"] == "nosniff", path
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin", path
        assert answer["Referrer-Policy"] == "same-origin", path
        assert "camera=()" in answer["Permissions-Policy"], path
        assert "Server" not in answer, path


def test_https_is_kept_for_a_year(cast: Cast, settings: Any) -> None:
    """Case 74: the header that production sets; see test_checks for its settings."""
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    answer = Client().get("/account/login/", secure=True)
    assert answer["Strict-Transport-Security"] == ("max-age=31536000; includeSubDomains; preload")


class SharedCache:
    """A caching proxy that keeps whatever RFC 9111 lets a shared cache keep, by URL alone.

    It is careless on purpose: it does not look at Vary, Cookie or Authorization.
    """

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def get(self, client: Client, path: str, **headers: str) -> Any:
        if path not in self.kept:
            answer = client.get(path, headers=headers)
            said = {d.strip().lower() for d in answer.get("Cache-Control", "").split(",")}
            if not said & {"no-store", "private"}:
                self.kept[path] = answer
            return answer
        return self.kept[path]


def test_a_cache_in_front_keeps_nothing_of_a_partner(cast: Cast) -> None:
    """Case 36: by session, without one, and with an empty or odd-case header of the client's."""
    for first, second in ((cast.alice, cast.bob), (cast.bob, cast.alice)):
        cache = SharedCache()
        for path in OF_A_PARTNER + OPEN[:1] + STAFFS:
            for headers in ({}, {"Cache-Control": "PUBLIC, Max-Age=600"}, {"Authorization": ""}):
                one = cache.get(SignedIn(first.user), path, **headers)
                two = cache.get(SignedIn(second.user), path, **headers)
                assert "no-store" in one["Cache-Control"], path
                if path.startswith("/p/aurora/") or "/p/aurora/" in path:
                    # an empty token is no token, and no session either
                    assert {one.status_code, two.status_code} & {401, 404}, path
                    assert str(CANARY).encode() not in one.content + two.content
        assert cache.kept == {}


def test_case_36_a_cache_in_front_keeps_nothing_that_a_token_read(cast: Cast) -> None:
    """By the tokens of two partners, in both orders, with headers absent, empty and odd."""
    programs = {
        member.partner.slug: Client(
            headers={
                "authorization": "Bearer "
                + credentials.make(
                    membership=member, name="x", exits=["api", "export"], families=None, networks=[]
                )[1]
            }
        )
        for member in (cast.alice, cast.cleo)
    }
    odd = ({}, {"Cache-Control": ""}, {"cache-CONTROL": "PUBLIC, Max-Age=600"}, {"Cookie": ""},
           {"accept": "text/csv"}, {"Range": "bytes=0-9"}, {"If-None-Match": "*"})  # fmt: skip
    for order in (("aurora", "cirrus"), ("cirrus", "aurora")):
        cache = SharedCache()
        for headers in odd:
            for path in ("titles/", "titles/shared/viewing/", "titles/x/", "bundles/", "?x=1"):
                for slug in order:
                    for asked_by in order:
                        answer = cache.get(
                            programs[asked_by], f"/api/v1/p/{slug}/{path}", **headers
                        )
                        assert answer.status_code != 304
                        kept_back = answer["Cache-Control"].split(", ")
                        assert {"no-store", "private"} <= set(kept_back), (path, headers)
                        if slug != asked_by:
                            assert answer.status_code in (404, 406), (path, headers)
        assert cache.kept == {}


def test_case_36_every_answer_is_said_to_be_kept_by_nobody(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those too that no view made: of a wrong host, too many tries, an error at the commit."""
    alice = SignedIn(cast.alice.user)
    alice.raise_request_exception = False
    answers = {
        "wrong host": Client().get("/p/aurora/", headers={"host": EVIL}),
        "no slash": alice.get("/p/aurora"),
        "no page": alice.get("/no-such-page"),
        "no file": alice.get("/static/no-such-file"),
        "no way in": Client().get("/p/aurora/"),
        "by the password alone": SignedIn(cast.stella, shown_ago=None).get("/admin/"),
        "forged": Client(enforce_csrf_checks=True).post("/account/login/"),
        "health": Client().get("/healthz"),
        "wrong method": alice.put("/api/v1/p/aurora/titles/"),
    }
    monkeypatch.setattr("portal.web.throttle.take", lambda keys: False)
    answers["too many"] = Client().post("/account/login/", {"login": "a@example.com"})
    monkeypatch.setattr("portal.web.throttle.spent", lambda key: True)
    answers["too many by token"] = Client(headers={"authorization": "Bearer x"}).get(
        "/api/v1/p/aurora/titles/"
    )
    monkeypatch.setattr("portal.web.middleware.acting_as", fails)
    answers["no database"] = alice.get("/p/aurora/")
    assert [answers[k].status_code for k in ("wrong host", "too many", "no database")] == [
        400, 429, 500,
    ]  # fmt: skip
    for name, answer in answers.items():
        assert set(answer["Cache-Control"].split(", ")) >= {"no-store", "private"}, name


def fails(*args: Any, **kwargs: Any) -> None:
    raise OperationalError("ZQB")


# --- hosts -------------------------------------------------------------------------------------

EVIL = "evil.example"


@pytest.mark.parametrize("path", ["/account/login/", "/account/password/reset/", "/api/v1/schema/"])
def test_another_host_is_refused(cast: Cast, path: str) -> None:
    """Case 61: Host, with and without a port; X-Forwarded-Host and Forwarded are not asked."""
    for host in (EVIL, f"{EVIL}:80", "localhost.evil.example", "localhost@evil.example"):
        answer = Client().get(path, headers={"host": host})
        assert answer.status_code == 400, host
        assert EVIL not in answer.content.decode()
    kind = {"x-forwarded-host": EVIL, "forwarded": f"host={EVIL}", "x-original-host": EVIL}
    answer = Client().get(path, headers=kind)
    assert answer.status_code in (200, 401)
    assert EVIL not in answer.content.decode()


def test_a_mail_links_to_the_configured_host_whoever_asks_for_it(cast: Cast, settings: Any) -> None:
    """Case 61: the proxy lets two hosts through; the mail names the one of BASE_URL alone."""
    settings.BASE_URL = "https://portal.example.com"
    settings.ALLOWED_HOSTS = ["testserver", EVIL]
    user = cast.alice.user
    user.set_password("a-long-quiet-evening")
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    Client().post(
        "/account/password/reset/",
        {"email": user.email},
        headers={"host": EVIL, "x-forwarded-host": EVIL},
    )
    [message] = mail.outbox
    text = str(message.body)
    assert re.findall(r"https?://[^/\s]+", text) == ["https://portal.example.com"]
    assert EVIL not in text + message.subject


@pytest.mark.django_db(transaction=True)
def test_an_absolute_address_in_the_request_line_names_no_host(live_server: LiveServer) -> None:
    """Case 61: what a client writes before the path is not where the portal is."""
    host, port = live_server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(
            f"GET http://{EVIL}/account/login/ HTTP/1.1\r\nHost: {EVIL}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        answer = b""
        while part := line.recv(65536):
            answer += part
    assert answer.split(b" ", 2)[1] in (b"400", b"404")
    assert EVIL.encode() not in answer


# --- files -------------------------------------------------------------------------------------

HOSTILE = {
    'a";x="b': "a-x=-b",
    "a\r\nSet-Cookie: x=1": "a-Set-Cookie- x=1",
    "../../etc/passwd": "etc-passwd",
    "..\\..\\win.ini": "win.ini",
    "C:\\x": "C-x",
    "长夜": "长夜",
    "\u202egnp.exe": "gnp.exe",
    "CON": "_CON",
    "com1.txt": "_com1.txt",
    "": "file",
    "...": "file",
    "\x00\x1b[31m": "[31m",
    "%2e%2e%2f": "2e-2e-2f",
    "e\u0301": "é",
}


@pytest.mark.parametrize("title", HOSTILE)
def test_a_file_name_is_one_on_every_system(title: str) -> None:
    """Case 53."""
    name = safe_name(title, ".csv")
    assert name == f"{HOSTILE[title]}.csv"
    header = attached(HttpResponse(), title, ".csv")
    disposition = header["Content-Disposition"]
    assert disposition.isascii()
    assert disposition.startswith("attachment; filename")
    assert not set("\r\n\x00") & set(disposition)
    assert header["X-Content-Type-Options"] == "nosniff"


def test_a_long_name_keeps_its_ending_and_whole_characters() -> None:
    for title in ("长" * 300, "a" * 300, "é" * 300):
        name = safe_name(title, ".csv")
        assert name.endswith(".csv")
        assert LONGEST_NAME - 3 <= len(name.encode()) <= LONGEST_NAME
        assert set(name.removesuffix(".csv")) == {title[0]}
    assert unicodedata.is_normalized("NFC", safe_name("e\u0301" * 300, ".csv"))


GUESSES = (
    "/media/", "/media/x.zip", "/files/", "/var/files/", "/storage/", "/backup.sql", "/db.sqlite3",
    "/.env", "/.git/config", "/static/", "/static/..%2f..%2fportal/settings.py",
    "/static/../portal/settings.py", "/static/%2e%2e/%2e%2e/etc/passwd",
    "/static/css/base.css.bak", "/static/css/base.css~", "/static//etc/passwd",
    "/p/aurora/..%2f..%2fadmin/", "/reports/1.zip", "/metrics", "/metrics/", "/flower/",
    "/api/v1/docs/", "/static/vendor/echarts.min.js.map", "/static/js/timeline.js.map",
)  # fmt: skip


@pytest.mark.parametrize("path", GUESSES)
def test_a_guess_finds_nothing(cast: Cast, storage: Path, path: str) -> None:
    """Cases 51 and 83: anonymous, and as a member; a stored file is under no address."""
    stored = storage / "ab" / f"{'ab' * 32}.zip"
    stored.parent.mkdir(parents=True)
    stored.write_bytes(b"PK ZQB")
    inside = f"{path.rstrip('/')}/ab/{stored.name}"
    for client in (Client(), SignedIn(cast.alice.user)):
        for address in (path, inside):
            answer = client.get(address)
            assert answer.status_code in (302, 404), address
            if answer.status_code == 302:
                assert answer["Location"].startswith("/account/login/")
            assert b"ZQB" not in b"".join(answer) if answer.streaming else answer.content


def test_nothing_that_is_stored_lies_where_the_site_serves() -> None:
    """Case 51."""
    for served in (settings.STATIC_ROOT, *settings.STATICFILES_DIRS):
        for kept in (settings.STORAGE_ROOT, settings.SOURCES, settings.STAGING, settings.PEOPLE):
            assert not Path(kept).resolve().is_relative_to(Path(served).resolve())


def test_no_source_map_is_served_or_named() -> None:
    """Case 83."""
    for folder in settings.STATICFILES_DIRS:
        for path in Path(folder).rglob("*"):
            assert path.suffix != ".map"
            if path.suffix in (".js", ".css"):
                assert "sourceMappingURL" not in path.read_text(), path


def test_what_is_open_to_everybody_names_no_partner(cast: Cast) -> None:
    """Case 83: health says which part is well, never why, and of whom."""
    for path in ("/healthz", "/readyz"):
        answer = Client().get(path)
        assert set(answer.json()) <= {"status", "checks"}
        assert all(isinstance(v, bool) for v in answer.json().get("checks", {}).values())
    for path in ("/api/v1/schema/", "/api/v1/p/aurora/titles/"):
        assert Client().get(path).status_code == 401
        assert Client().options(path).status_code == 401
