"""What reaches a log: one line an entry, and nothing that opens a door."""

from __future__ import annotations

import io
import logging
import logging.config
import sys
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client
from gunicorn.config import Config

from partners.models import Membership
from portal.logs import Formatter, ServerLog, clean
from tests.cast import CANARY, Cast
from tests.conftest import SignedIn

TOKEN = "dly_AbCd1234_" + "x" * 32 + "_aB3dE6"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """All that the site logs, at its most talkative, formatted as the settings say."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    made = logging.config.DictConfigurator(settings.LOGGING)
    handler.setFormatter(made.configure_formatter(settings.LOGGING["formatters"]["plain"]))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        (f"Bad token {TOKEN} here", "Bad token dly_AbCd1234_*** here"),
        (f"Authorization: Bearer {TOKEN}", "Authorization: Bearer dly_AbCd1234_***"),
        ("authorization=Basic YWxpY2U6cGFzcw==", "authorization=Basic ***"),
        ("GET /account/invitation/s3cr3t-key/ 404", "GET /account/invitation/***/ 404"),
        ("/account/password/reset/key/1a-c0ffee/", "/account/password/reset/key/***/"),
        ("{'password': 'correct horse', 'x': 1}", "{'password': '***', 'x': 1}"),
        ("?next=/&csrfmiddlewaretoken=abc&x=1", "?next=/&csrfmiddlewaretoken=***&x=1"),
        ("Cookie: sessionid=abc123; language=en", "Cookie: ***; language=en"),
        ("postgres://dailies_web:hunter2@db/dailies", "postgres://dailies_web:***@db/dailies"),
        ("a\r\n2026-01-01 INFO forged", "a\\r\\n2026-01-01 INFO forged"),
        ("\x1b[31mred\x1b[0m \x07 \x9b", "\\x1b[31mred\\x1b[0m \\x07 \\x9b"),
        ("turned \u202eround\u2028", "turned \\u202eround\\u2028"),
        ("长夜 12 plays, key (n)=(1)", "长夜 12 plays, key (n)=(1)"),
    ],
)
def test_a_message_is_one_line_without_secrets(said: str, logged: str) -> None:
    """Case 82."""
    assert clean(said) == logged


def test_a_traceback_cannot_pass_for_an_entry() -> None:
    try:
        raise ValueError(f"2026-01-01 INFO forged {TOKEN}\n2026-01-01 INFO forged too")
    except ValueError:
        record = logging.LogRecord("x", 40, "", 1, "failed\n%s", ("at",), sys.exc_info())
    first, *rest = Formatter("%(message)s").format(record).split("\n")
    assert first == "failed\\nat"
    assert len(rest) >= 4
    assert all(line.startswith("    ") for line in rest)
    assert "x" * 32 not in "".join(rest)


def test_a_hostile_request_leaves_one_clean_line(cast: Cast, written: io.StringIO) -> None:
    """Case 82, of path, user agent and token."""
    Client().get("/account/invitation/a-real-key/", headers={"user-agent": "\x1b[2J\r\nforged"})
    Client().get("/nothing%0d%0aforged%1b[31m/")
    Client().get("/api/v1/p/aurora/titles/", headers={"authorization": f"Bearer {TOKEN}\x1b[31m"})
    said = written.getvalue()
    assert "nothing" in said
    assert "\x1b" not in said
    assert "\r" not in said
    assert "x" * 32 not in said
    assert "a-real-key" not in said
    assert not any(line.startswith("forged") for line in said.split("\n"))


def test_no_name_number_password_or_token_of_a_partner_is_logged(
    cast: Cast, written: io.StringIO
) -> None:
    """Case 82, the sweep: Borealis' pages are read by its owner, and by one who may not."""
    cast.borealis.name_zh = "ZQB-\r\n\x1b[31m北光"
    cast.borealis.save()
    bob = SignedIn(cast.bob.user)
    title = "/p/borealis/titles/foreign/"
    for client in (bob, SignedIn(cast.alice.user)):
        for path in ("/p/borealis/", title, f"{title}csv/viewing/", "/api/v1/p/borealis/titles/"):
            client.get(path)
    cast.bob.user.set_password("correct-horse-battery")
    cast.bob.user.save()
    for password in ("correct-horse-battery", "wrong-horse-battery"):
        Client().post("/account/login/", {"login": "bob@example.com", "password": password})
    said = written.getvalue()
    for secret in (str(CANARY), str(CANARY + CANARY // 2), "ZQB", "horse-battery", "\x1b"):
        assert secret not in said
    assert Membership.objects.filter(user=cast.bob.user).exists()


def test_the_servers_own_log_is_as_clean(capsys: pytest.CaptureFixture[str]) -> None:
    config = Config()
    config.set("accesslog", "-")
    log = ServerLog(config)
    stream = io.StringIO()
    for handler in log.access_log.handlers:
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(stream)
    log.access_log.info("%s", f'GET /account/invitation/a-real-key/ "\x1b[31m {TOKEN}"')
    assert stream.getvalue() == ('GET /account/invitation/***/ "\\x1b[31m dly_AbCd1234_***"\n')
