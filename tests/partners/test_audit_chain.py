"""The audit trail's chain: nobody is passed over, and whatever is changed is found."""

from __future__ import annotations

import json
import os
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Max
from django.db.utils import DatabaseError
from django.utils import timezone

from engagement.roles import PARTNER, PUBLISH, STAFF, WEB, WORKER, acting_as, become
from partners import anchor
from partners.audit import record
from partners.models import (
    AuditEvent,
    AuditLink,
    AuditSeal,
    Partner,
)
from partners.sealing import OutOfStep, seal
from partners.verifying import verify
from tests.background import wait_until
from tests.cast import Cast

WRITERS = 32
EACH = int(os.environ.get("AUDIT_WRITES", "15"))  # 1000 in the soak


@pytest.fixture
def aurora(transactional_db: None, anchor_file: Path) -> Partner:
    """Committed, for every connection to see; and an anchor of the test's own."""
    partner = Partner.objects.create(slug="aurora", name_zh="极光影业")
    record("partner.added", actor=None, partner=partner)
    return partner


def sealed() -> int:
    """Seal all there is, as one seal; returns how many events. A transaction of another database
    of the server (another test process) holds sealing up as one of this does, so what is to be
    sealed is waited for first: else it might be two seals.
    """
    wait_until(none_holds_up, 120)
    count = seal()
    assert verify().unsealed == 0
    return count


def none_holds_up() -> bool:
    """Has every transaction ended that is older than the newest event?"""
    newest = AuditEvent.objects.aggregate(newest=Max("transaction"))["newest"] or 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        [ended_below] = cursor.fetchone()
    return bool(newest < ended_below)


def own_connection() -> psycopg.Connection[Any]:
    """Another one than the test's, as the web logs in."""
    name = connection.settings_dict["NAME"]
    host = connection.get_connection_params().get("host")
    return psycopg.connect(dbname=name, host=host, user="dailies_web")


def tamper(sql: str, *values: Any) -> None:
    """What the owner of the tables can do who first takes the triggers away."""
    with connection.cursor() as cursor:
        tables = ("partners_auditevent", "partners_auditseal", "partners_auditlink")
        cursor.execute("GRANT DELETE ON partners_auditevent TO dailies_owner")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(sql, values)
        cursor.execute("REVOKE DELETE ON partners_auditevent FROM dailies_owner")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER never_emptied")


def records(count: int, partner: Partner) -> list[int]:
    """So many events; their ids in the order of writing."""
    for number in range(count):
        record("list.read", actor=None, partner=partner, target=f"list {number}")
    return list(AuditEvent.objects.order_by("pk").values_list("pk", flat=True))[-count:]


# --- append-only -------------------------------------------------------------------------------
@pytest.mark.parametrize("role", [None, WEB, PARTNER, STAFF, WORKER, PUBLISH])
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE partners_auditevent SET target = 'x'",
        "DELETE FROM partners_auditevent",
        "UPDATE partners_auditseal SET root = 'x'",
        "DELETE FROM partners_auditlink",
    ],
)
def test_nobody_changes_the_trail_its_owner_neither(cast: Cast, role: str | None, sql: str) -> None:
    """Without a role it is the tables' owner that tries."""
    with pytest.raises(DatabaseError, match=r"append-only|permission denied"):
        run(sql, role)


def run(sql: str, role: str | None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        if role is not None:
            become(role)
        cursor.execute(sql)


def test_the_database_says_when_and_as_whom_whatever_the_writer_says(cast: Cast) -> None:
    with acting_as(WEB):
        AuditEvent.objects.create(
            action="list.read",
            at=timezone.now() - timedelta(days=3),
            transaction=1,
            database_user="nobody",
        )
    event = AuditEvent.objects.latest("pk")
    assert timezone.now() - event.at < timedelta(hours=1)
    assert event.database_user == "dailies_owner as dailies_web"
    assert event.transaction > 1


# --- sealing -----------------------------------------------------------------------------------
def test_a_sealed_trail_is_whole_and_its_root_is_outside(
    aurora: Partner, anchor_file: Path
) -> None:
    before = AuditEvent.objects.count()
    records(3, aurora)
    assert sealed() == before + 3
    assert seal() == 0
    [line] = [json.loads(text) for text in anchor_file.read_text().splitlines()]
    assert (line["n"], line["events"], line["root"]) == (
        1,
        before + 3,
        AuditSeal.objects.get().root,
    )
    verdict = verify()
    assert (verdict.exit_code, verdict.changed, verdict.behind) == (0, (), ())
    assert (verdict.events, verdict.unsealed) == (before + 3, 0)


def test_an_event_that_commits_late_is_not_passed_over(aurora: Partner) -> None:
    """It has the lower id and the earlier transaction, and is seen last."""
    sealed()
    sql = (
        "INSERT INTO partners_auditevent (at, action, target, detail, transaction, database_user)"
        " VALUES (now(), 'list.read', 'late', '{}', 0, '')"
    )
    with own_connection() as slow:
        slow.execute(sql)
        records(1, aurora)
        assert seal() == 0  # what came after waits for what came before
        verdict = verify()
        assert (verdict.exit_code, verdict.unsealed) == (0, 1)
        slow.commit()
    assert sealed() == 2
    targets = AuditEvent.objects.filter(link__seal=2).order_by("link__position")
    assert [e.target for e in targets] == ["late", "list 0"]
    assert verify().exit_code == 0


def test_what_was_sealed_but_not_anchored_is_anchored_next(
    aurora: Partner, anchor_file: Path
) -> None:
    """A sealer that is killed between the two, in the middle of a line."""
    sealed()
    one = anchor_file.read_bytes()
    records(1, aurora)
    sealed()
    two = anchor_file.read_bytes()
    anchor_file.write_bytes(two[: len(one) + 20])
    records(1, aurora)
    assert sealed() == 1
    assert [line.n for line in anchor.lines()] == [1, 2, 3]
    assert verify().exit_code == 0


def test_writers_sealers_and_rollbacks_leave_no_fork_and_no_gap(aurora: Partner) -> None:
    """Case 81. Every third transaction rolls back; sealers run all the while."""
    before = AuditEvent.objects.count()
    writing = True

    def write(writer: int) -> int:
        kept = 0
        chance = random.Random(writer)
        with own_connection() as mine:
            for number in range(EACH):
                for _ in range(chance.randint(1, 3)):
                    mine.execute(
                        "INSERT INTO partners_auditevent"
                        " (at, action, target, detail, transaction, database_user)"
                        " VALUES (now(), 'list.read', %s, '{}', 0, '')",
                        [f"{writer}/{number}"],
                    )
                    kept += number % 3 != 0
                mine.rollback() if number % 3 == 0 else mine.commit()
        return kept

    def keep_sealing() -> int:
        mine = 0
        try:
            while writing:
                mine += seal()
        finally:
            connection.close()
        return mine

    with ThreadPoolExecutor(WRITERS + 2) as pool:
        sealers = [pool.submit(keep_sealing) for _ in range(2)]
        kept = sum(f.result() for f in [pool.submit(write, w) for w in range(WRITERS)])
        writing = False
        count = sum(f.result() for f in sealers)
    count += sealed()
    assert kept > WRITERS * EACH // 2
    assert count == before + kept
    assert list(AuditLink.objects.values_list("position", flat=True)) == list(range(1, count + 1))
    verdict = verify()
    assert (verdict.exit_code, verdict.unsealed, verdict.events) == (0, 0, count)


# --- drills ------------------------------------------------------------------------------------
def test_an_edit_is_found_at_its_event(aurora: Partner) -> None:
    ids = records(5, aurora)
    sealed()
    assert verify().exit_code == 0
    tamper("UPDATE partners_auditevent SET target = 'harmless' WHERE id = %s", ids[2])
    verdict = verify()
    assert verdict.exit_code == 1
    [finding] = verdict.changed
    assert finding.startswith(f"event {ids[2]} ")
    assert finding.endswith("is not as it was sealed")


def test_an_edit_with_the_whole_chain_written_anew_is_found_by_the_anchor(
    aurora: Partner, anchor_file: Path, tmp_path: Path
) -> None:
    ids = records(5, aurora)
    sealed()
    kept = tmp_path / "kept"
    shutil.copy(anchor_file, kept)
    tamper("UPDATE partners_auditevent SET target = 'harmless' WHERE id = %s", ids[2])
    tamper("DELETE FROM partners_auditlink")
    tamper("DELETE FROM partners_auditseal")
    anchor_file.unlink()
    sealed()
    assert verify().exit_code == 0  # who can write both can lie: hence another machine
    shutil.copy(kept, anchor_file)
    assert verify().changed == ("seal 1 is not the one that was anchored",)
    with pytest.raises(OutOfStep, match="not the one that was anchored"):
        seal()


def test_a_reorder_is_found(aurora: Partner) -> None:
    ids = records(5, aurora)
    sealed()
    tamper(
        "UPDATE partners_auditlink SET event_id = CASE event_id WHEN %s THEN -1 ELSE %s END"
        " WHERE event_id IN (%s, %s)",
        ids[1], ids[1], ids[1], ids[3],
    )  # fmt: skip
    tamper("UPDATE partners_auditlink SET event_id = %s WHERE event_id = -1", ids[3])
    assert [f.split(" (")[0] for f in verify().changed] == [f"event {ids[3]}", f"event {ids[1]}"]


def test_a_removed_event_and_one_put_in_later_are_found(aurora: Partner) -> None:
    ids = records(5, aurora)
    sealed()
    tamper("DELETE FROM partners_auditevent WHERE id = %s", ids[2])
    [finding] = verify().changed
    assert finding.startswith(f"event {ids[2]} ")
    assert finding.endswith("is gone")
    tamper(
        "INSERT INTO partners_auditevent"
        " (id, at, action, target, detail, transaction, database_user)"
        " VALUES (%s, now(), 'list.read', 'other', '{}', 1, '')",
        10**9,
    )
    assert verify().changed[1:] == (f"event {10**9} was put behind the seals",)


def test_a_cut_tail_is_found(aurora: Partner) -> None:
    sealed()
    ids = records(2, aurora)
    sealed()
    tamper("DELETE FROM partners_auditlink WHERE seal_id = 2")
    tamper("DELETE FROM partners_auditseal WHERE n = 2")
    tamper("DELETE FROM partners_auditevent WHERE id = ANY (%s)", ids)
    verdict = verify()
    assert (verdict.exit_code, verdict.changed) == (2, ())
    assert verdict.behind[0].startswith("the database ends with seal 1, the anchor with 2")
    with pytest.raises(OutOfStep, match="its end was cut off"):
        seal()


def test_without_an_anchor_nothing_is_sealed_until_a_person_starts_another(
    aurora: Partner, anchor_file: Path
) -> None:
    sealed()
    anchor_file.unlink()
    records(1, aurora)
    assert verify().exit_code == 3
    with pytest.raises(OutOfStep, match="the anchor is empty"):
        seal()
    call_command("seal_audit", "--new-anchor")
    sealed()
    assert [line.n for line in anchor.lines()] == [1, 2]
    assert verify().exit_code == 0


def test_the_commands_say_so_and_exit_accordingly(
    aurora: Partner, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = records(1, aurora)
    call_command("verify_audit")
    assert "not sealed yet" in capsys.readouterr().out
    sealed()
    call_command("seal_audit")
    call_command("verify_audit")
    assert capsys.readouterr().out.endswith("in 1 seals\nwhole\n")
    tamper("UPDATE partners_auditevent SET target = 'x' WHERE id = %s", ids[0])
    with pytest.raises(SystemExit) as left:
        call_command("verify_audit")
    assert left.value.code == 1
    assert f"event {ids[0]} " in capsys.readouterr().err
