"""The database's wall against what an ORM, a pool and a worker make easy to forget."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import psycopg
import pytest
from celery import current_app
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from psycopg_pool import ConnectionPool

from engagement.models import Title, ViewingFact
from engagement.roles import PARTNER, READER, WEB, acting_as, become
from partners.models import Entitlement, Grant, Holding, Membership, Partner
from reports.models import Bundle, Schedule
from tests.cast import DAY, Cast
from tests.conftest import SignedIn

ROOT = Path(__file__).resolve().parents[1]
SET = "SELECT set_config('role', %s, true), set_config('dailies.partner_id', %s, true)"


@pytest.fixture
def theirs(cast: Cast) -> Schedule:
    schedule = Schedule.objects.create(
        partner=cast.borealis, name="ZQB weekly", owner=cast.bob, zone="Asia/Shanghai"
    )
    schedule.recipients.add(cast.bob)
    return schedule


def test_the_orm_has_no_side_door_to_a_competitors_rows(cast: Cast, theirs: Schedule) -> None:
    """Case 30: traversal, base manager, prefetch, in_bulk, refresh, raw, exists, counts."""
    bobs = Membership.objects.get(pk=cast.bob.pk)
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        assert Schedule.objects.filter(partner__slug="borealis").exists() is False
        assert Schedule._base_manager.filter(pk=theirs.pk).first() is None
        assert Schedule.objects.in_bulk([theirs.pk]) == {}
        assert list(Schedule.objects.raw("SELECT * FROM reports_schedule")) == []
        assert list(Partner.objects.prefetch_related("memberships")) == [cast.aurora]
        assert Title.objects.filter(grants__partner=cast.borealis).count() == 0
        assert cast.foreign.grants.count() == 0
        assert cast.borealis.memberships.count() == 0
        for row in (theirs, bobs, cast.borealis, cast.foreign, cast.grants["foreign"]):
            with pytest.raises(type(row).DoesNotExist):
                row.refresh_from_db()
        for model in (Membership, Grant, Entitlement, Holding, Bundle, Schedule, Partner, Title):
            assert "ZQB" not in str(list(model._base_manager.values())), model
    # the owner reads them: the refusals above are the policies'
    assert Schedule.objects.get(pk=theirs.pk).name == "ZQB weekly"


def test_a_dump_as_the_partner_holds_nothing_of_others(
    cast: Cast, theirs: Schedule, capsys: pytest.CaptureFixture[str]
) -> None:
    """Case 30."""
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        call_command("dumpdata", "partners.partner", "partners.membership", "reports.schedule")
    said = capsys.readouterr().out
    assert "aurora" in said
    assert "ZQB" not in said
    assert str(cast.borealis.pk) not in said


def test_a_write_to_a_competitors_key_neither_changes_nor_tells_it(
    cast: Cast, theirs: Schedule
) -> None:
    """Case 28: an upsert, an update with RETURNING and a delete on Borealis' row."""
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        for sql in (
            "UPDATE reports_schedule SET name = 'mine' WHERE id = %s RETURNING name",
            "DELETE FROM reports_schedule WHERE id = %s RETURNING name",
        ):
            with connection.cursor() as cursor:
                cursor.execute(sql, [theirs.pk])
                assert cursor.fetchall() == []
    upsert = (
        "INSERT INTO reports_schedule SELECT (s).* FROM (SELECT"
        " jsonb_populate_record(NULL::reports_schedule, %s::jsonb) AS s) AS new"
        " ON CONFLICT (id) DO UPDATE SET name = 'mine' RETURNING name"
    )
    theirs.refresh_from_db()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_jsonb(s)::text FROM reports_schedule s WHERE id = %s", [theirs.pk]
        )
        row = cursor.fetchone()[0].replace(str(cast.borealis.pk), str(cast.aurora.pk))
    with (
        pytest.raises(DatabaseError) as refused,
        acting_as(PARTNER, partner_id=cast.aurora.pk),
        connection.cursor() as cursor,
    ):
        cursor.execute(upsert, [row])
    assert "ZQB" not in str(refused.value)
    theirs.refresh_from_db()
    assert theirs.name == "ZQB weekly"


def test_names_may_be_the_same_in_two_partners(cast: Cast, theirs: Schedule) -> None:
    """Case 27: what is unique is unique in a partner, so that a clash tells of nobody."""
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        Schedule.objects.create(
            partner=cast.aurora, name=theirs.name, owner=cast.alice, zone="Asia/Shanghai"
        )
    assert Schedule.objects.filter(name=theirs.name).count() == 2


# --- one connection, many borrowers --------------------------------------------------------------


def test_a_pooled_connection_keeps_nothing_of_its_last_borrower(transactional_db: None) -> None:
    """Case 26: a pool of one; Borealis, Aurora, one that forgets, one after an
    exception, a time-out and a mistake."""
    from tests.cast import make_cast

    cast = make_cast()
    database = connection.settings_dict
    dsn = psycopg.conninfo.make_conninfo(
        host=database["HOST"] or database["OPTIONS"]["host"], dbname=database["NAME"],
        user="dailies_web",
    )  # fmt: skip
    count = "SELECT count(*) FROM partners_membership"
    with ConnectionPool(dsn, min_size=1, max_size=1, open=True) as pool:

        def as_partner(partner: Any, sql: str = count) -> int:
            with pool.connection() as borrowed, borrowed.transaction():
                borrowed.execute("SET LOCAL statement_timeout = 2000")
                borrowed.execute(SET, [PARTNER, str(partner.pk)])
                [(found,)] = borrowed.execute(sql).fetchall()
                return int(found)

        def forgets() -> None:
            with pool.connection() as borrowed:
                assert borrowed.execute(
                    "SELECT current_user::text, current_setting('dailies.partner_id', true)"
                ).fetchone() in ((WEB, ""), (WEB, None))
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    borrowed.execute("SELECT 1 FROM reports_bundle")
                borrowed.rollback()

        assert as_partner(cast.borealis) == 1
        assert as_partner(cast.aurora) == 3
        forgets()
        for ends in (
            "SELECT 1 / 0",
            "SELECT pg_sleep(5)",
            "SELECT no_such_column",
        ):
            with pytest.raises(psycopg.Error):
                as_partner(cast.borealis, ends)
            forgets()
            assert as_partner(cast.aurora) == 3


def test_a_plan_that_was_made_for_one_partner_reads_another_by_its_own_rows(cast: Cast) -> None:
    """Case 29: a prepared statement and a cached plan, as Borealis and then as Aurora."""
    with connection.cursor() as cursor:
        cursor.execute("PREPARE slugs AS SELECT slug FROM partners_partner")
        seen = []
        for partner in (cast.borealis, cast.aurora, cast.borealis):
            for _ in range(6):  # from the sixth time on a generic plan may be used
                with acting_as(PARTNER, partner_id=partner.pk):
                    cursor.execute("EXECUTE slugs")
                    seen.append((partner.slug, cursor.fetchall()))
        cursor.execute("DEALLOCATE slugs")
    assert all(rows == [(slug,)] for slug, rows in seen)


def test_a_role_is_never_taken_outside_a_transaction(transactional_db: None) -> None:
    """Case 26: there it would stay on the connection."""
    with pytest.raises(RuntimeError, match="inside a transaction"):
        become(READER)


def test_a_task_that_ends_half_way_leaves_no_partner_to_the_next(cast: Cast) -> None:
    """Case 39: the next one, which takes no role, is refused."""
    with acting_as(WEB):
        with pytest.raises(ZeroDivisionError), acting_as(PARTNER, partner_id=cast.borealis.pk):
            raise ZeroDivisionError
        with pytest.raises(DatabaseError), transaction.atomic():
            Bundle.objects.count()


def test_tasks_take_ids_and_json_alone() -> None:
    """Cases 40 and 41: what a forged message could say is an id, which the row then answers."""
    assert current_app.conf.accept_content == ["json"]
    assert current_app.conf.task_serializer == "json"
    import reports.tasks  # noqa: F401

    taken = {
        name: list(task.run.__annotations__)
        for name, task in current_app.tasks.items()
        if name.startswith("reports.")
    }
    assert taken
    for name, arguments in taken.items():
        assert all(name == "return" or name.endswith("_id") for name in arguments), name


# --- SQL and errors ------------------------------------------------------------------------------


def test_nothing_that_was_sent_becomes_a_keyword_of_a_query() -> None:
    """Case 31: no `filter(**request...)`, no order_by or values of what was sent."""
    offenders = []
    for package in ("portal", "reports", "partners", "engagement"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                    continue
                if node.func.attr in ("filter", "exclude", "get", "order_by", "values", "annotate"):
                    sent = [*node.args, *(k.value for k in node.keywords if not k.arg)]
                    offenders += [
                        f"{path.relative_to(ROOT)}:{node.lineno}"
                        for a in sent
                        if "request." in ast.unparse(a)
                        and ast.unparse(node.func.value) != "request"
                        and "objects" in ast.unparse(node.func.value)
                    ]
    assert offenders == []


@pytest.mark.parametrize(
    "error",
    [
        IntegrityError('duplicate key value violates "reports_x" DETAIL: Key (name)=(ZQB-Foreign)'),
        DatabaseError('invalid input syntax for type uuid: "ZQB" in engagement_viewingfact'),
        DatabaseError("canceling statement due to statement timeout"),
        DatabaseError("deadlock detected DETAIL: Process 1 waits for engagement_viewingfact"),
    ],
)
@pytest.mark.parametrize("path", ["/p/aurora/", "/api/v1/p/aurora/titles/"])
def test_an_error_of_the_database_tells_nothing_of_it(
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: DatabaseError,
    path: str,
) -> None:
    """Case 33: a general message and an id by which staff find it in the log."""

    def fails(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr("partners.models.grants.EntitlementQuerySet.live", fails)
    client = SignedIn(cast.alice.user)
    client.raise_request_exception = False
    answer = client.get(path)
    body = answer.content.decode()
    assert answer.status_code == 500
    for told in ("ZQB", "duplicate", "engagement_", "uuid", "canceling", "deadlock", "DETAIL"):
        assert told not in body
    [id_] = [r.args[0] for r in caplog.records if r.name == "portal.errors" and r.args]
    assert str(id_) in body


@pytest.mark.parametrize("asked", ["'; SELECT 1 --", "CN' OR '1'='1", "%00", "１", "{id}", "null"])
def test_what_is_sent_is_never_sql(cast: Cast, asked: str) -> None:
    """Cases 15 and 32: by every parameter and every part of a path."""
    client = SignedIn(cast.alice.user)
    for name in ("from", "until", "territory", "grain", "clip", "from_second"):
        answer = client.get("/api/v1/p/aurora/titles/film/danmu_comments/", {name: asked})
        assert answer.status_code == 400, name
    for path in (
        f"/p/aurora/titles/{asked}/",
        f"/api/v1/p/aurora/titles/{asked}/viewing/",
        f"/api/v1/p/aurora/titles/film/{asked}/",
        f"/p/{asked}/",
        f"/p/aurora/reports/{asked}/",
        f"/api/v1/p/aurora/bundles/{asked}/",
    ):
        assert client.get(path).status_code == 404, path


def test_the_same_question_of_two_partners_is_answered_each_by_its_own(cast: Cast) -> None:
    """Case 34: identical, in both orders, warm."""
    alice, cleo = SignedIn(cast.alice.user), SignedIn(cast.cleo.user)
    path = "titles/shared/viewing/?from=2026-01-01&until=2026-01-11"
    for _ in range(2):
        for client, partner, territory in ((alice, "aurora", "CN"), (cleo, "cirrus", "SG")):
            answer = client.get(f"/api/v1/p/{partner}/{path}")
            assert {r["territory"] for r in answer.json()["rows"]} == {territory}
            assert "no-store" in answer["Cache-Control"]
            assert "private" in answer["Cache-Control"]
    assert Client().get(f"/api/v1/p/aurora/{path}").status_code == 401
    assert ViewingFact.objects.filter(title=cast.shared, from_day=DAY).count() == 3
