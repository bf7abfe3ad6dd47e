"""No record, no data: the record is committed before the first byte of an answer leaves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.test import RequestFactory

from engagement.scope import Window
from reports.build import build
from reports.plan import ask_bundle
from tests.cast import DAY, DAYS, Cast, make_cast
from tests.conftest import SignedIn
from tests.files import without_rendering

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def committed(transactional_db: None, storage: Path, monkeypatch: pytest.MonkeyPatch) -> Cast:
    without_rendering(monkeypatch)
    return make_cast()


def test_a_record_is_committed_before_the_first_byte_leaves(committed: Cast) -> None:
    """Case 80, P13: seen from another connection when the server is handed the headers, which it
    sends before any byte of the body; pages, REST, CSV and stored files.
    """
    member = committed.alice
    bundle = ask_bundle(
        membership=member, titles=None, window=Window(DAY, DAY + timedelta(days=DAYS)),
        language="en",
    )  # fmt: skip
    assert build(bundle.pk)
    cookie = SignedIn(member.user).cookies["sessionid"].value
    application = get_wsgi_application()
    database = {
        "dbname": connection.settings_dict["NAME"],
        "host": connection.get_connection_params()["host"],
        "user": "dailies_owner",
    }
    for path, accept, action in (
        ("/p/aurora/titles/film/", "text/html", "numbers.read"),
        ("/p/aurora/team/", "text/html", "list.read"),
        ("/api/v1/p/aurora/titles/film/viewing/", "application/json", "numbers.read"),
        ("/api/v1/p/aurora/titles/film/viewing/", "text/csv", "export.csv"),
        ("/p/aurora/titles/film/csv/viewing/", "text/html", "export.csv"),
        (f"/p/aurora/reports/{bundle.pk}/download/", "text/html", "bundle.downloaded"),
    ):
        with psycopg.connect(**database, autocommit=True) as other:

            def records() -> list[str]:
                rows = other.execute("SELECT action FROM partners_auditevent ORDER BY id")
                return [action for (action,) in rows]

            before = len(records())
            seen: list[Any] = []

            def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
                seen.append((status, records()[before:]))  # noqa: B023
                return lambda data: None

            request = RequestFactory(headers={"accept": accept}).get(path)
            environ = {**request.environ, "HTTP_COOKIE": f"sessionid={cookie}"}
            answer = application(environ, start_response)
            assert seen == [("200 OK", [action])], path
            assert b"".join(answer)
            answer.close()  # as every server does
            assert len(records()) == before + 1
