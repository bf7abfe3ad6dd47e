"""Errors that PostgreSQL itself raises, in real views: the answer says nothing but an id.

tests/test_walls_orm.py raises what a driver might say; here the server says it, with the values
and names that it puts into its own words.
"""

from __future__ import annotations

import threading

import psycopg
import pytest
from django.db import connection
from django.http import HttpResponse

from portal.services.postgres import SUPERUSER
from reports import schedules
from reports.models import Bundle
from tests.background import wait_until
from tests.cast import Cast, make_cast
from tests.conftest import SignedIn

TOLD = (
    "ZQB", "duplicate", "reports_", "partners_", "engagement_", "uuid", "canceling", "timeout",
    "deadlock", "DETAIL", "CONTEXT", "psycopg", "Traceback", "SELECT", "INSERT", "7654321",
)  # fmt: skip
FORCED = {
    # what goes wrong: what the server then does for each row that is read
    "cast": "PERFORM 'ZQB-Foreign'::uuid",
    "division": "PERFORM 7654321 / (7654321 - 7654321)",
    "overflow": "PERFORM '76543217654321'::integer",
    "timeout": "PERFORM pg_sleep(5)",
    "unique": "INSERT INTO reports_heartbeat SELECT * FROM reports_heartbeat",
}
READS = ("/p/aurora/", "/p/aurora/titles/film/", "/api/v1/p/aurora/titles/film/viewing/")


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def told_by_id(answer: HttpResponse, caplog: pytest.LogCaptureFixture) -> None:
    """A general message, the id that the log has too, and nothing of the database."""
    assert answer.status_code == 500
    said = answer.content.decode() + str(sorted(answer.items()))
    assert [word for word in TOLD if word in said] == []
    assert "no-store" in answer["Cache-Control"]
    [id_] = [r.args[0] for r in caplog.records if r.name == "portal.errors" and r.args]
    assert str(id_) in said


@pytest.fixture
def fails(cast: Cast, request: pytest.FixtureRequest) -> SignedIn:
    """Alice, for whom each row of an entitlement that is read ends in the error named."""
    run("INSERT INTO reports_heartbeat (kind) VALUES ('ZQB-Foreign')")
    run(
        "CREATE FUNCTION goes_wrong() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS"
        f" $$ BEGIN {FORCED[request.param]}; RETURN true; END $$"
    )
    run(
        "CREATE POLICY goes_wrong ON partners_entitlement AS RESTRICTIVE FOR SELECT"
        " USING (goes_wrong())"
    )
    alice = SignedIn(cast.alice.user)
    alice.raise_request_exception = False
    run("SET LOCAL statement_timeout = '200ms'")
    return alice


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("fails", sorted(FORCED), indirect=True)
def test_case_33_an_error_of_postgres_while_reading_tells_an_id_alone(
    fails: SignedIn, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    told_by_id(fails.get(path), caplog)


def test_case_33_a_clash_while_writing_tells_an_id_alone(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    run("CREATE UNIQUE INDEX one_a_partner ON reports_bundle (partner_id)")
    alice = SignedIn(cast.alice.user)
    alice.raise_request_exception = False
    wish = {"from": "2026-01-01", "until": "2026-01-05", "language": "en"}
    form = {"since": "2026-01-01", "until": "2026-01-04", "language": "en", "titles": "1000001"}
    api = "/api/v1/p/aurora/bundles/"
    assert alice.post(api, wish, content_type="application/json").status_code == 202
    again = alice.post(api, wish | {"until": "2026-01-06"}, content_type="application/json")
    told_by_id(again, caplog)
    assert str(cast.aurora.pk) not in again.content.decode()
    caplog.clear()
    told_by_id(alice.post("/p/aurora/reports/", form), caplog)
    assert Bundle.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_case_33_a_deadlock_when_the_request_commits_tells_an_id_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The other one holds what the request's commit must look at, and wants what it holds."""
    cast = make_cast()
    schedule = schedules.create(
        membership=cast.alice, name="Weekly", titles=None, weekday=2, hour=9,
        zone="Asia/Shanghai", language="en", recipients=[cast.alice.pk],
    )  # fmt: skip
    database = connection.settings_dict
    other = psycopg.connect(
        host=database["HOST"] or database["OPTIONS"]["host"],
        dbname=database["NAME"],
        user=SUPERUSER,
    )
    other.execute("SET deadlock_timeout = '1h'")  # so that the request is who is told of it
    other.execute("SELECT FROM partners_membership WHERE id = %s FOR UPDATE", [cast.amy.pk])

    def embrace() -> None:
        waits = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        )
        wait_until(lambda: other.execute(waits).fetchone() != (0,), 60)
        other.execute("SELECT FROM reports_schedule WHERE id = %s FOR UPDATE", [schedule.pk])
        other.rollback()

    alice = SignedIn(cast.alice.user)
    alice.raise_request_exception = False
    thread = threading.Thread(target=embrace)
    thread.start()
    answer = alice.post(
        f"/p/aurora/reports/schedule/{schedule.pk}/",
        {"name": "ZQB", "weekday": "2", "hour": "9", "zone": "Asia/Shanghai", "language": "en",
         "recipients": [str(cast.amy.pk)]},
    )  # fmt: skip
    thread.join()
    other.close()
    assert "deadlock detected" in caplog.text
    told_by_id(answer, caplog)
    schedule.refresh_from_db()
    assert schedule.name == "Weekly"
