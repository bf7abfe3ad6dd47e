"""Each condition of one wall taken away in turn, with the other wall open: a test must go red.

Run by `make soak`. The isolation test is a crowd of near misses: partners whose grant is right
in all but one thing, so that each condition alone keeps a fact from somebody. Postgres is asked
for the rows of every view, Python for the answers of `run` with the views opened to all rows;
both must equal tests/oracle.py. Conditions that Python alone knows (role, limit, who is a member)
are tried with both walls up. What survives is named, with the reason why it may.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import FunctionType, SimpleNamespace
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from engagement import query, scope
from engagement.families import danmu, discussion, fanbases, read, sharing
from engagement.families.registry import FAMILIES, RESOURCES
from engagement.models import Release
from engagement.roles import PARTNER, READER, acting_as
from engagement.scope import Refused
from partners import access
from partners.models import (
    Credential,
    Entitlement,
    Grant,
    Membership,
    Partner,
    StaffView,
    User,
)
from partners.models import grants as grants_module
from partners.staff_views import as_membership
from tests import test_walls_census as census
from tests.oracle import Asked, Fact, Granted, Member, listed, stored, tuples
from tests.oracle_world import DAYS, EXITS, FIRST, World, asked, build_world
from tests.test_oracle import answer_of, expected_of, sorted_rows
from tests.walls import FACT_VIEWS

pytestmark = pytest.mark.django_db

TABLE_OF_VIEW = {
    "wall_viewer_sketch": "sketch",
    "wall_danmu_comment": "danmu_comments",
    "wall_discussion_post": "discussion_posts",
    "wall_sharing_offset": "sharing_offsets",
}

# --- the crowd of near misses --------------------------------------------------------------------


@dataclass
class Near:
    """One partner and what it was granted, all but right."""

    name: str
    grants: list[Granted]
    member: Member
    exit: str = "web"
    title: str = "film"
    tamper: Callable[[World, Any, list[Grant]], None] | None = None
    make: Callable[[World, Near], Any] | None = None  # its place, where that is not just a row
    membership: Any = None
    expected: list[tuple[Asked, Any]] = field(default_factory=list)


def _full(partner: str, *titles: str) -> Granted:
    return Granted(
        partner, frozenset(titles), frozenset(FAMILIES), frozenset({"*"}), frozenset(EXITS), 0, DAYS
    )


def _forget_entitlements_partner(world: World, partner: Any, made: list[Grant]) -> None:
    """An entitlement that names the partner under somebody else's grant."""
    Entitlement.objects.filter(grant=made[-1]).update(partner=partner)


def _state(**fields: Any) -> Callable[[World, Any, list[Grant]], None]:
    def tamper(world: World, partner: Any, made: list[Grant]) -> None:
        Grant.objects.filter(pk=made[-1].pk).update(**fields)

    return tamper


def _suspend(world: World, partner: Any, made: list[Grant]) -> None:
    Partner.objects.filter(pk=partner.pk).update(suspended_at=timezone.now())


# what is not quite right: of the grant, or of its rows behind the back of the platform
TWEAKS: dict[str, tuple[Callable[[Granted], Granted], Any]] = {
    "whole": (lambda g: g, None),
    "another partner's": (lambda g: replace(g, partner="borealis"), None),
    "of another title": (lambda g: replace(g, titles=frozenset({"shared"})), None),
    "one territory": (lambda g: replace(g, territories=frozenset({"CN"})), None),
    "another exit": (lambda g: replace(g, exits=frozenset({"delta"})), None),
    "begins late": (lambda g: replace(g, since=1), None),
    "ends early": (lambda g: replace(g, until=DAYS - 1), None),
    "not begun": (lambda g: replace(g, state="future"), None),
    "expired": (lambda g: replace(g, state="expired"), None),
    "under a foreign grant": (
        lambda g: replace(g, partner="borealis"), _forget_entitlements_partner
    ),
    "not approved": (lambda g: g, _state(state="proposed")),
    "without a second person": (lambda g: g, _state(approved_by=None)),
    "revoked": (lambda g: g, _state(revoked_at=timezone.now())),
    "suspended": (lambda g: g, _suspend),
    **{
        f"without {family}": (
            lambda g, family=family: replace(g, families=g.families - {family}), None
        )
        for family in FAMILIES
    },
}  # fmt: skip
DEAD = {"not approved", "without a second person", "revoked"}
"""Tampered with in the database: the oracle is told that they are not live."""


def crowd() -> Iterator[Near]:
    for number, (target, title) in enumerate(
        (("film", "film"), ("ep-two", "series"), ("back", "film"), ("waiting", "film"))
    ):
        for n, (name, (tweak, tamper)) in enumerate(TWEAKS.items()):
            slug = f"near-{number}-{n}"
            base: list[Granted] = []
            if target == "ep-two":
                base = [_full(slug, "series", "ep-one")]
            elif target == "back":  # days before the first that is granted
                base = [replace(_full(slug, "film"), since=1)]
            elif target == "waiting":  # who may know of the release, not how many wait in it
                of_one = {
                    "families": frozenset({"retention", "demographics"}),
                    "territories": frozenset({"CN"}),
                }
                base = [replace(_full(slug, "film"), **of_one)]
            else:
                base = [_full(slug, "shared")]  # one that is live, of another title
            near = tweak(_full(slug, target if target == "ep-two" else "film"))
            yield Near(f"{target}: {name}", [*base, near], Member(slug), title=title, tamper=tamper)
    for exit in ("web", "export"):
        yield Near(f"text through {exit}", [_full("text-" + exit, "film")], Member("text-" + exit),
                   exit=exit)  # fmt: skip
    whole = _full("limits", "film", "series", "ep-one", "ep-two")
    yield Near("straddles", [replace(whole, partner="straddles", until=3),
                             replace(whole, partner="straddles", since=3)],
               Member("straddles"))  # fmt: skip
    yield Near("pairs", [replace(whole, partner="pairs", families=frozenset({"danmu"})),
                         replace(whole, partner="pairs", families=frozenset({"retention"}))],
               Member("pairs"))  # fmt: skip
    for n, (name, member) in enumerate(
        {
            "a limit of titles": Member("", titles=frozenset({"shared"})),
            "a limit of families": Member("", families=frozenset({"viewing"})),
            "a limit without the children": Member("", titles=frozenset({"series"})),
            "a disabled user": Member("", shut="disabled"),
            "a removed member": Member("", shut="removed"),
        }.items()
    ):
        slug = f"limit-{n}"
        title = "series" if "children" in name else "film"
        yield Near(name, [replace(whole, partner=slug)], replace(member, partner=slug), title=title)
    yield Near("a limited child", [replace(whole, partner="child")],
               Member("child", titles=frozenset({"series"})), title="ep-one")  # fmt: skip
    for exit in ("web", "export", "email", "api"):
        slug = f"viewer-{exit}"
        yield Near(f"a viewer through {exit}", [replace(whole, partner=slug)],
                   Member(slug, role="viewer"), exit=exit)  # fmt: skip


def _by_token(world: World, near: Near) -> Any:
    place = world.member(near.member)
    exits, families = near.member.token or (frozenset(), frozenset())
    place.credential = Credential(exits=sorted(exits), families=sorted(families))
    return place


def _by_view(world: World, near: Near) -> Any:
    """One of the staff who looks as the partner, beside another who does so too."""
    partner = world.partners[near.member.partner]
    of = world.partners["borealis"] if near.member.shut == "a view of another" else partner
    for staff in (world.approver, world.maker):
        view = StaffView.objects.create(partner=of, staff=staff, reason="a question")
    place = as_membership(view)
    place.partner = partner
    if near.member.shut == "an ended view":
        StaffView.objects.filter(pk=view.pk).update(ended_at=timezone.now())
    return place


def _moved(world: World, near: Near) -> Any:
    """To another partner since the row was loaded."""
    place = world.member(near.member)
    Membership.objects.filter(pk=place.pk).update(partner=world.partners["cirrus"])
    return place


def odd_places() -> Iterator[Near]:
    """Grants beside each other, tokens, staff who look, and a member who has moved."""

    def near(name: str, *grants: Granted, **more: Any) -> Near:
        slug = f"odd-{name.replace(' ', '-')}"
        fields = {k: more.pop(k) for k in ("role", "shut", "token") if k in more}
        return Near(
            name, [replace(g, partner=slug) for g in grants], Member(slug, **fields), **more
        )

    whole = _full("", "film")
    cn, sg = (replace(whole, territories=frozenset({where})) for where in ("CN", "SG"))
    yield near("straddles beside another", replace(cn, until=3), replace(cn, since=3), sg)
    yield near("in turn", replace(cn, until=3), replace(sg, since=3))
    yield near("days before in another", replace(cn, since=1), sg)
    every, api = frozenset(FAMILIES), frozenset({"api"})
    both = api | {"export"}
    yield near("a token", whole, token=(both, every), exit="export", make=_by_token)
    yield near("a token of one exit", whole, token=(api, every), exit="export", make=_by_token)
    yield near("a token of one family", whole, token=(api, frozenset({"danmu"})), exit="api",
               make=_by_token)  # fmt: skip
    yield near("a token beside a file", replace(whole, exits=frozenset({"export"})),
               token=(both, every), exit="export", make=_by_token)  # fmt: skip
    yield near("a view", whole, role="viewer", make=_by_view)
    yield near("a view of a file", whole, role="viewer", exit="export", make=_by_view)
    for shut in ("an ended view", "a view of another"):
        yield near(shut, whole, role="viewer", shut=shut, make=_by_view)
    yield near("a moved member", whole, shut="moved", make=_moved)
    yield near("none of its families", replace(whole, families=frozenset({"viewing"})),
               token=(api, frozenset({"danmu"})), exit="api", make=_by_token)  # fmt: skip


def _let_tamper() -> None:
    """Without the triggers and checks that keep such rows from ever being written."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("partners_grant", "partners_entitlement"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            for (name,) in census.rows(
                "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'",
                table,
            ):
                cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with django_db_blocker.unblock(), transaction.atomic():
        made = build_world()
        made.near = [*crowd(), *odd_places()]
        every: list[tuple[Near, list[Grant]]] = []
        for near in made.near:
            slug = near.member.partner
            made.partners[slug] = Partner.objects.create(slug=slug, name_en=slug, name_zh=slug)
            made.members[slug] = Membership.objects.create(
                user=User.objects.create_user(f"{slug}@example.com"),
                partner=made.partners[slug],
                role="owner",
            )
            for n in range(2):  # colleagues without a limit
                Membership.objects.create(
                    user=User.objects.create_user(f"{slug}-{n}@example.com"),
                    partner=made.partners[slug],
                    role="owner",
                )
            every.append((near, [made.grant(g) for g in near.grants]))
            near.membership = (near.make or (lambda w, n: w.member(n.member)))(made, near)
        _let_tamper()
        for near, grants in every:
            if near.tamper:
                near.tamper(made, made.partners[near.member.partner], grants)
            name = near.name.partition(": ")[2]
            if name in DEAD:
                near.grants[-1] = replace(near.grants[-1], state="revoked")
            if name == "suspended":
                near.member = replace(near.member, shut="suspended")
            for resource, territory, clip in wishes(near):
                q = asked(near.title, resource, exit=near.exit, since=0, until=DAYS,
                          territory=territory, clip=clip)  # fmt: skip
                near.expected.append((q, expected_of(made, near.grants, near.member, q)))
        yield made
        transaction.set_rollback(True)


# --- what must be so -----------------------------------------------------------------------------


def shown(world: World, near: Near, view: str) -> list[tuple[int, Any]]:
    more = "new_viewers" if view == "wall_sharing" else "NULL"
    partner = world.partners[near.member.partner]
    with acting_as(READER, partner_id=partner.pk, exit=near.exit):
        return sorted(census.rows(f"SELECT id, {more} FROM {view}"))


def must_show(world: World, near: Near, view: str) -> list[tuple[int, Any]]:
    table = TABLE_OF_VIEW.get(view, view.removeprefix("wall_"))
    member = Member(near.member.partner, shut="suspended" * (near.member.shut == "suspended"))

    def more(f: Fact) -> Any:
        return f.values["new_viewers"] if f.whole and view == "wall_sharing" else None

    return sorted(
        (world.keys[replace(f, whole=True)], more(f))
        for f in stored(world.platform, near.grants, member, near.exit)
        if f.table == table
    )


def shown_releases(world: World, near: Near) -> list[tuple[Any, ...]]:
    partner = world.partners[near.member.partner]
    with acting_as(READER, partner_id=partner.pk, exit=near.exit):
        return sorted(census.rows("SELECT id::text, waiting_viewers IS NOT NULL FROM wall_release"))


def must_show_releases(world: World, near: Near) -> list[tuple[Any, ...]]:
    member = Member(near.member.partner, shut="suspended" * (near.member.shut == "suspended"))
    every = list(tuples(world.platform, near.grants, member, near.exit))
    found = []
    for release in Release.objects.select_related("title"):
        since = (release.day - FIRST).days if release.day else None
        until = (release.until - FIRST).days if release.until else None
        told, waits = listed(every, release.title.slug, release.kind, since, until)
        if told and release.state == "done":
            found.append((str(release.pk), waits))
    return sorted(found)


def postgres_holds(world: World, view: str, wanted: dict[str, Any]) -> bool:
    return all(shown(world, near, view) == wanted[near.name] for near in world.near)


def python_holds(world: World) -> bool:
    for near in world.near:
        for q, expected in near.expected:
            answer = answer_of(world, near.membership, q)
            if isinstance(expected, str) or isinstance(answer, str):
                if answer != expected:
                    return False
            elif answer[0] != expected[0] or (
                expected[1] and sorted_rows(answer[1]) != sorted_rows(expected[1])
            ):
                return False
    return doors_hold(world)


EVERYWHERE = ("viewing", "retention", "danmu_comments", "sharing", "fanbases", "demographics")


def wishes(near: Near) -> Iterator[tuple[str, str | None, bool]]:
    """(resource, territory, clip): what this near miss is about, and one of each way of reading."""
    about = near.name.partition(": ")[2]
    resources: Iterable[str] = EVERYWHERE if about else RESOURCES
    if about.startswith("without ") and about.split()[-1] in FAMILIES:
        resources = [
            name
            for name, resource in RESOURCES.items()
            if any(about.split()[-1] in source for source in resource.sources)
        ]
    yield from ((resource, None, True) for resource in resources)
    yield from ((resource, "SG", True) for resource in ("viewing", "danmu_comments"))
    yield "viewing", "*", False
    yield "retention", None, False


def doors_hold(world: World) -> bool:
    """Who is a member where, which titles a scope lists, and which a slug opens."""
    everything = [title.pk for title in world.titles.values()]
    for near in world.near:
        place = near.membership
        listed = {
            world.titles[title].pk
            for title, families, *_ in tuples(world.platform, near.grants, near.member, near.exit)
            if families and (near.member.titles is None or title in near.member.titles)
        }
        for titles in (None, everything):
            if access.scope_for(place, near.exit, titles).titles() != listed:
                return False
        if near.make is None:
            found = access.membership_for(place.user, near.member.partner)
            if (found is None) != bool(near.member.shut):
                return False
        if access.membership_for(place.user, "aurora") is not None:
            return False
        if near.name == "film: whole":
            mine = access.scope_for(place, "web")
            if access.title_for(mine, "film").slug != "film":
                return False
            try:
                access.title_for(mine, "foreign")
            except Refused:
                pass
            else:
                return False
    return True


# --- Postgres ------------------------------------------------------------------------------------


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


VIEWS_MAY = {
    f"wall_{view}: {condition}": _SAME_PARTNER
    for view in _TWICE
    for condition in ("((p.id = e.partner_id))", "(p.suspended_at IS NULL)")
}
POLICIES_MAY = {
    f"{table}: WITH CHECK": "the partner's role has no right to write there"
    for table in (
        "engagement_title", "engagement_title_tags", "partners_grant_titles", "partners_partner"
    )
}  # fmt: skip


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


# --- Python --------------------------------------------------------------------------------------


@contextmanager
def python_alone() -> Iterator[None]:
    """The views opened to all rows."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            for view, table in FACT_VIEWS:
                body = f"SELECT * FROM {table}"
                if view == "wall_fanbases":
                    body = (
                        f"SELECT fact.*, sets.slug AS fan_set FROM {table} AS fact"
                        " JOIN engagement_fansetversion AS version ON version.id = fact.fan_set_id"
                        " JOIN engagement_fanset AS sets ON sets.id = version.fan_set_id"
                    )
                elif view == "wall_sharing":
                    columns = 'id, territory, "from", until, channel, shares, visits, new_viewers'
                    more = "new_since, release_id, title_id, new_viewers_measured"
                    body = f"SELECT {columns}, {more} FROM {table}"
                cursor.execute(f"CREATE OR REPLACE VIEW {view} AS {body}")
        yield
        transaction.set_rollback(True)


FUNCTIONS: list[Any] = [
    access.membership_for,
    access.scope_for,
    access.title_for,
    access._as_of_now,
    access._asked,
    access._limited,
    scope.Entitled.reaches,
    scope.Scope.tuples,
    scope.Scope.clip,
    scope.Scope.check,
    scope.Scope.reach,
    scope.Scope._within,
    scope.Scope._blocks,
    query._granted,
    query._children,
    grants_module.EntitlementQuerySet.live,
    danmu._may_leave,
    discussion.read_posts,
    fanbases.read,
    sharing.read,
]
CONSTANTS = [(read, "_WITHIN"), (read, "_CHILDREN")]


@dataclass(frozen=True)
class Mutant:
    name: str
    install: Callable[[], Callable[[], None]]  # returns what puts it back


class _Take(ast.NodeTransformer):
    """Takes away the condition number `wanted`; counts them where it is -1."""

    def __init__(self, wanted: int = -1) -> None:
        self.wanted, self.seen, self.taken = wanted, -1, ""

    def _is_it(self, node: ast.AST) -> bool:
        self.seen += 1
        if self.seen == self.wanted:
            self.taken = ast.unparse(node)
            return True
        return False

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        if isinstance(node.op, ast.And):
            node.values = [v for v in node.values if not self._is_it(v)]
        self.generic_visit(node)
        return node if len(node.values) > 1 else node.values[0]

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.ifs = [v for v in node.ifs if not self._is_it(v)]
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "filter":
            node.args = [a for a in node.args if not self._is_it(a)]
            node.keywords = [k for k in node.keywords if not self._is_it(k)]
        self.generic_visit(node)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        ends = isinstance(node.body[-1], ast.Return | ast.Raise)
        if ends and not node.orelse and self._is_it(node.test):
            return ast.Pass()
        self.generic_visit(node)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if isinstance(node.op, ast.BitAnd) and self._is_it(node):
            return node.left
        self.generic_visit(node)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str):
            for condition in SQL_CONDITION.findall(node.value):
                if self._is_it(ast.Constant(condition)):
                    mutated = node.value.replace(condition, f"({condition} OR true)", 1)
                    return ast.Constant(mutated)
        return node


SQL_CONDITION = re.compile(
    r"(?:AND|WHERE) ((?:fact|reach|granted|block)\.[^()\n]*?)(?= AND |\n|$|\))"
)


def mutants() -> Iterator[Mutant]:
    for function in FUNCTIONS:
        source = textwrap.dedent(inspect.getsource(function))
        counter = _Take()
        counter.visit(ast.parse(source))
        for number in range(counter.seen + 1):
            take = _Take(number)
            tree = ast.fix_missing_locations(take.visit(ast.parse(source)))
            yield Mutant(
                f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}: {take.taken}",
                _swap(function, tree),
            )
    for module, name in CONSTANTS:
        text = getattr(module, name)
        for condition in SQL_CONDITION.findall(text):
            mutated = text.replace(condition, f"({condition} OR true)", 1)
            yield Mutant(f"{name}: {condition}", _set(module, name, mutated))
    for name in grants_module.LIVE:
        rest = {n: q for n, q in grants_module.LIVE.items() if n != name}
        yield Mutant(f"LIVE: {name}", _set(grants_module, "LIVE", rest))


def _swap(function: FunctionType, tree: Any) -> Callable[[], Callable[[], None]]:
    def install() -> Callable[[], None]:
        code, before = (
            compile(tree, "<mutant>", "exec", flags=annotations.compiler_flag),
            function.__code__,
        )
        made: dict[str, Any] = dict(function.__globals__)
        exec(code, made)
        function.__code__ = made[function.__name__].__code__

        def put_back() -> None:
            function.__code__ = before

        return put_back

    return install


def _set(module: Any, name: str, value: Any) -> Callable[[], Callable[[], None]]:
    def install() -> Callable[[], None]:
        before = getattr(module, name)
        setattr(module, name, value)
        return lambda: setattr(module, name, before)

    return install


def test_python_alone_each_condition(world: World) -> None:
    killed, stopped, survivors = 0, 0, []
    with python_alone():
        assert python_holds(world)
        for mutant in mutants():
            put_back = mutant.install()
            try:
                with transaction.atomic():
                    try:
                        holds = python_holds(world)
                    except Exception:  # it no longer runs: nobody is told anything
                        holds, stopped = False, stopped + 1
                    transaction.set_rollback(True)
            finally:
                put_back()
            if holds:
                survivors.append(mutant.name)
                print(f"  survives: {mutant.name}", flush=True)
            else:
                killed += 1
        assert python_holds(world)
    print(f"mutants: Python: {stopped} of the killed no longer ran at all")
    report("Python", killed, survivors, allowed=PYTHON_MAY)


_FETCHED = "only spares fetching: what is fetched beyond it is asked again, row by row"
PYTHON_MAY = {
    "scope_for: Q(title_id__in=asked)": _FETCHED,
    "scope_for: asked is not None and e.title_id not in asked": "what may be asked may be counted",
    "scope_for: e.title_id not in asked": "what may be asked may be counted",
    "_as_of_now: partner__suspended_at__isnull=True": "LIVE asks it of every entitlement",
    "LIVE: not suspended": "_as_of_now asks it of the partner, membership_for at the door",
    "_children: parent_id=series.pk": _FETCHED,
    "_children: pk__in=counting.titles()": _FETCHED,
    "fanbases.read: not rows": "the answer's one row that says why it is empty",
}
"""What may survive, and why."""


def report(where: str, killed: int, survivors: list[str], allowed: dict[str, str]) -> None:
    print(f"mutants: {where}: {killed} of {killed + len(survivors)} killed")
    unexplained = []
    for survivor in survivors:
        reason = next((why for part, why in allowed.items() if part in survivor), None)
        if survivors.count(survivor) > 1:
            reason = None
        print(f"  survives: {survivor}: {reason or 'UNEXPLAINED'}")
        if reason is None:
            unexplained.append(survivor)
    assert unexplained == []
