"""Postgres alone: each condition of each view in turn."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from engagement.models import Release, Title
from engagement.roles import READER, acting_as
from partners.models import Holding, Partner
from tests import census
from tests.mutants import report
from tests.mutants.crowd import must_show, must_show_releases, postgres_holds, shown, shown_releases
from tests.oracle_world import FIRST, World
from tests.walls import FACT_VIEWS

pytestmark = pytest.mark.django_db


def conjuncts(sql: str) -> list[tuple[int, int]]:
    """Where each operand of AND, of JOIN ... ON and of WHERE stands in what pg_get_viewdef says.

    It writes every operation in brackets of its own.
    """
    found = set()
    for match in re.finditer(r" AND |ON \(|WHERE ", sql):
        if match.group() == " AND ":
            found |= {_operand(sql, match.start(), -1), _operand(sql, match.end(), 1)}
        else:
            at = match.end() - (match.group() == "ON (")
            found.add(_operand(sql, at, 1))
    return sorted(found)


def _operand(sql: str, at: int, step: int) -> tuple[int, int]:
    """The bracketed, CASE or plain operand that begins (or ends) at a place."""
    depth, here, first = 0, at if step > 0 else at - 1, None
    while 0 <= here < len(sql):
        character = sql[here]
        if character in "()":
            depth += step if character == "(" else -step
            if depth < 0:
                break
            if depth == 0:
                here += step
                break
        elif depth == 0 and (sql[here : here + 5] == " AND " or sql[here] == ";"):
            break
        if first is None and not character.isspace():
            first = character
            if sql[here : here + 4] == "CASE":
                return here, sql.index("END", here) + 3
        here += step
    return (at, here) if step > 0 else (here + 1, at)


def test_postgres_alone_each_condition_of_each_view(world: World) -> None:
    killed, survivors = 0, []
    for view, _ in FACT_VIEWS:
        wanted = {near.name: must_show(world, near, view) for near in world.near}
        assert any(wanted.values()), view
        for near in world.near:
            assert shown(world, near, view) == wanted[near.name], (view, near.name)
        [(sql,)] = census.rows("SELECT pg_get_viewdef(%s::regclass)", view)
        for start, end in conjuncts(sql):
            condition = " ".join(sql[start:end].split())
            mutant = f"{sql[:start]}({sql[start:end]} OR true){sql[end:]}"
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute(
                        f"CREATE OR REPLACE VIEW {view} WITH (security_barrier) AS {mutant}"
                    )
                if postgres_holds(world, view, wanted):
                    survivors.append(f"{view}: {condition}")
                else:
                    killed += 1
                transaction.set_rollback(True)
    report("views of Postgres", killed, survivors, allowed=VIEWS_MAY)


_SAME_PARTNER = "asked again of the row's own entitlement, whose partner is the same"
RELEASES_MAY = {
    f"wall_release: {condition}": _SAME_PARTNER
    for condition in ("((p.id = e.partner_id))", "(p.suspended_at IS NULL)")
}
_TWICE = ("viewing", "viewer_sketch", "sharing", "demographics", "geography", "fanbases")
"""Views that look at entitlements a second time: of children, or of days before the row's own."""


def test_postgres_alone_each_condition_of_the_releases(world: World) -> None:
    for title in ("film", "shared"):  # one that has not come to its end
        Release.objects.create(
            kind="shares", title=world.titles[title], day=FIRST, metric_version="1",
            input_digest="", state="started",
        )  # fmt: skip
    killed, survivors = 0, []
    wanted = {near.name: must_show_releases(world, near) for near in world.near}
    for near in world.near:
        assert shown_releases(world, near) == wanted[near.name], near.name
    [(sql,)] = census.rows("SELECT pg_get_viewdef('wall_release'::regclass)")
    for start, end in conjuncts(sql):
        condition = " ".join(sql[start:end].split())
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "CREATE OR REPLACE VIEW wall_release WITH (security_barrier) AS"
                    f" {sql[:start]}({sql[start:end]} OR true){sql[end:]}"
                )
            if all(shown_releases(world, near) == wanted[near.name] for near in world.near):
                survivors.append(f"wall_release: {condition}")
            else:
                killed += 1
            transaction.set_rollback(True)
    report("the view of releases", killed, survivors, allowed=RELEASES_MAY)


def test_postgres_alone_each_condition_of_what_is_measured(world: World) -> None:
    """Of a title that is held, today, by a partner that is not suspended; nothing of a grant."""
    with transaction.atomic():
        places, titles = _holders(world)
        wanted = {name: name == "holds" for name in places}

        def told() -> dict[str, bool]:
            return {name: _is_told(partner, titles) for name, partner in places.items()}

        assert told() == wanted
        killed, survivors = 0, []
        [(sql,)] = census.rows("SELECT pg_get_viewdef('wall_measured'::regclass)")
        for start, end in conjuncts(sql):
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute(
                        "CREATE OR REPLACE VIEW wall_measured WITH (security_barrier) AS"
                        f" {sql[:start]}({sql[start:end]} OR true){sql[end:]}"
                    )
                if told() == wanted:
                    survivors.append(f"wall_measured: {' '.join(sql[start:end].split())}")
                else:
                    killed += 1
                transaction.set_rollback(True)
        transaction.set_rollback(True)
    report("the view of what is measured", killed, survivors, allowed={})


def _holders(world: World) -> tuple[dict[str, Partner], list[int]]:
    """Partners that hold a title all but rightly; of another title nothing is published yet."""
    held, waits = (
        Title.objects.create(slug=slug, key=slug, kind="film", name_zh=slug)
        for slug in ("held", "waits")
    )
    for title, state in ((held, "done"), (waits, "started")):
        Release.objects.create(
            kind="shares", title=title, day=FIRST, metric_version="1", input_digest="", state=state
        )
    today = timezone.now().date()
    near: dict[str, dict[str, Any]] = {
        "holds": {},
        "holds another": {"title": world.titles["film"]},
        "holds one that waits": {"title": waits},
        "holds it from later on": {"from_day": today + timedelta(days=2)},
        "held it": {"from_day": today - timedelta(days=9), "until": today - timedelta(days=2)},
        "is suspended": {},
        "holds nothing": {},
    }
    places = {}
    for n, (name, fields) in enumerate(near.items()):
        suspended = timezone.now() if name == "is suspended" else None
        places[name] = Partner.objects.create(
            slug=f"holder-{n}", name_zh=name, suspended_at=suspended
        )
        if name != "holds nothing":
            Holding.objects.create(
                **{"partner": places[name], "title": held, "territories": ["*"], **fields}
            )
    connection.check_constraints()
    return places, [held.pk, waits.pk]


def _is_told(partner: Partner, titles: list[int]) -> bool:
    """Whether the partner learns of either title that it is measured."""
    with acting_as(READER, partner_id=partner.pk):
        return bool(census.rows("SELECT 1 FROM wall_measured WHERE title_id = ANY(%s)", titles))


VIEWS_MAY = {
    f"wall_{view}: {condition}": _SAME_PARTNER
    for view in _TWICE
    for condition in ("((p.id = e.partner_id))", "(p.suspended_at IS NULL)")
}
