"""Postgres alone: each clause of each policy in turn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from engagement.roles import PARTNER, acting_as
from tests import census
from tests.mutants import report
from tests.oracle_world import World

pytestmark = pytest.mark.django_db

POLICIES_MAY = {
    f"{table}: WITH CHECK": "the partner's role has no right to write there"
    for table in (
        "engagement_title",
        "engagement_title_tags",
        "partners_grant_titles",
        "partners_partner",
    )
} | {"partners_user: WITH CHECK": "what it may write, a counter, is no part of the check"}


def names_hold(world: World) -> bool:
    """What Aurora's role reads of the tables that have no partner of their own, and that it adds
    nobody to a schedule of Borealis'.
    """
    aurora = world.partners["aurora"]
    with acting_as(PARTNER, partner_id=aurora.pk):
        partners = census.rows("SELECT slug FROM partners_partner")
        titles = {s for (s,) in census.rows("SELECT slug FROM engagement_title")}
        granted = census.rows("SELECT 1 FROM partners_grant_titles")
        recipients = census.rows("SELECT 1 FROM reports_schedule_recipients")
        tags = census.rows("SELECT title_id FROM engagement_title_tags")
        people = {e for (e,) in census.rows("SELECT email FROM partners_user WHERE NOT is_staff")}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id FROM reports_schedule")
        (theirs,) = cursor.fetchone() or (None,)
        try:
            with acting_as(PARTNER, partner_id=aurora.pk):
                cursor.execute(
                    "INSERT INTO reports_schedule_recipients (schedule_id, membership_id)"
                    " VALUES (%s, %s)",
                    [theirs, world.members["aurora"].pk],
                )
                adds = True
        except ProgrammingError:
            adds = False
        transaction.set_rollback(True)
    return (
        not adds
        and partners == [("aurora",)]
        and people == {m.user.email for m in (world.members["aurora"],)}
        and titles == {"film", "shared", "series", "ep-one"}
        and not granted
        and not recipients
        and tags == [(world.titles["film"].pk,)]
    )


def test_postgres_alone_each_clause_of_each_policy(world: World) -> None:
    cast: Any = SimpleNamespace(
        aurora=world.partners["aurora"], borealis=world.partners["borealis"]
    )
    killed, survivors = 0, []
    with transaction.atomic():
        _others_names(world)
        connection.check_constraints()  # a table with pending checks cannot be altered
        assert names_hold(world)
        for table, where in census.rows(
            "SELECT polrelid::regclass::text, pg_get_expr(polqual, polrelid) FROM pg_policy"
            " WHERE polname = 'of_the_partner' ORDER BY 1"
        ):
            of_a_partner = table in census.with_a_partner()
            for clause in ("USING", "WITH CHECK"):
                with transaction.atomic():
                    with connection.cursor() as cursor:
                        cursor.execute(f"ALTER POLICY of_the_partner ON {table} {clause} (true)")
                    if of_a_partner:
                        census.bare(table)
                        holds = census.leaks(cast, table) == []
                    else:
                        holds = names_hold(world)
                    if holds:
                        survivors.append(f"{table}: {clause}")
                    else:
                        killed += 1
                    transaction.set_rollback(True)
            assert where
        transaction.set_rollback(True)
    report("policies of Postgres", killed, survivors, allowed=POLICIES_MAY)


def _others_names(world: World) -> None:
    """A schedule, a grant and tags of somebody else's."""
    from engagement.models import Tag
    from reports.models import Schedule

    bob = world.members["borealis"]
    schedule = Schedule.objects.create(
        partner=bob.partner, name="Weekly", owner=bob, zone="Asia/Shanghai"
    )
    schedule.recipients.add(bob)
    tag = Tag.objects.create(kind="genre", name="drama")
    for slug in ("film", "foreign"):
        world.titles[slug].tags.add(tag)
