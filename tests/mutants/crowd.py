"""The crowd of near misses, and what must be so of each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import connection
from django.utils import timezone

from engagement.families.registry import FAMILIES, RESOURCES
from engagement.models import Release
from engagement.roles import READER, acting_as
from engagement.scope import Refused
from partners import access
from partners.models import Credential, Entitlement, Grant, Membership, Partner, StaffView
from partners.staff_views import as_membership
from tests import census
from tests.oracle import Asked, Fact, Granted, Member, listed, stored, tuples
from tests.oracle_world import DAYS, EXITS, FIRST, World
from tests.test_oracle import answer_of, sorted_rows

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


def let_tamper() -> None:
    """Without the triggers and checks that keep such rows from ever being written."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("partners_grant", "partners_entitlement"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            for (name,) in census.rows(
                "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass"
                " AND (contype = 'c' OR conname = 'entitlement_of_its_grants_partner')",
                table,
            ):
                cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')


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
