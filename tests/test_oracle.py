"""P1, P2, P6: what every exit answers equals what an independent oracle says it should.

Hypothesis draws grants, a membership and questions; the platform's own code makes the grants and
answers; tests/oracle.py decides by itself which facts may be read and tests/oracle_answers.py
adds them up. `make soak` tries many times as many (ORACLE_PAIRS).
"""

from __future__ import annotations

import csv
import io
import os
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoDbBlocker

from engagement import query
from engagement.families.registry import FAMILIES, RESOURCES
from engagement.scope import OutsideScope, Query, Refused, Window
from partners.access import scope_for
from reports import storage as storage_of
from reports.build import build
from reports.deliver import send
from reports.models import Bundle, Delivery
from reports.plan import CannotAsk, ask_bundle
from reports.render.csv import unguard
from tests.background import Mailbox
from tests.conftest import SignedIn
from tests.oracle import Asked, Granted, Member, decide
from tests.oracle_answers import SAYS_WHY, as_told, is_nothing, rows_of, text_of
from tests.oracle_world import (
    DAYS,
    EXITS,
    PARENT,
    PARTNERS,
    TERRITORIES,
    TITLES,
    World,
    asked,
    build_world,
    day,
)

pytestmark = pytest.mark.django_db
RUN, REST, BUNDLES = map(int, os.environ.get("ORACLE_PAIRS", "1000,300,20").split(","))
"""Pairs of grants and a question through `run`, through REST and CSV, and in bundles."""
EACH = int(os.environ.get("ORACLE_EACH", "5"))  # questions of one set of grants

# --- what is drawn -------------------------------------------------------------------------------

some = st.frozensets
WINDOWS = [(since, until) for since in range(DAYS) for until in range(since + 1, DAYS + 1)]
windows = st.sampled_from(WINDOWS)
granted_windows = st.sampled_from([*WINDOWS, *[(0, DAYS)] * 8])
often_all = st.one_of(st.just(frozenset(FAMILIES)), some(st.sampled_from(FAMILIES), min_size=1))


SHUT = ("suspended", "disabled", "removed")


@st.composite
def grants_of(draw: st.DrawFn) -> list[Granted]:
    found = []
    for _ in range(draw(st.integers(1, 4))):
        since, until = draw(granted_windows)
        found.append(
            Granted(
                partner=draw(st.sampled_from(("aurora", "aurora", "aurora", *PARTNERS))),
                titles=draw(some(st.sampled_from(TITLES), min_size=1, max_size=3)),
                families=draw(often_all),
                territories=draw(
                    st.one_of(
                        st.just(frozenset({"*"})), some(st.sampled_from(TERRITORIES), min_size=1)
                    )
                ),
                exits=draw(
                    st.one_of(st.just(frozenset(EXITS)), some(st.sampled_from(EXITS), min_size=1))
                ),
                since=since,
                until=until,
                state=draw(
                    st.sampled_from(["live"] * 8 + ["proposed", "revoked", "expired", "future"])
                ),
            )
        )
    return found


@st.composite
def members_of(draw: st.DrawFn, grants: list[Granted], shut: tuple[str, ...] = SHUT) -> Member:
    return Member(
        partner=draw(st.sampled_from([*[g.partner for g in grants] * 3, *PARTNERS])),
        role=draw(st.sampled_from(["owner"] * 6 + ["analyst", "viewer"])),
        titles=draw(st.one_of(*[st.none()] * 6, some(st.sampled_from(TITLES), min_size=2))),
        families=draw(st.one_of(*[st.none()] * 6, some(st.sampled_from(FAMILIES), min_size=4))),
        shut=draw(st.sampled_from([*[""] * 30, *shut])),
    )


@st.composite
def questions(
    draw: st.DrawFn, grants: list[Granted], member: Member, exits: tuple[str, ...]
) -> Asked:
    """Most of them about what a grant of the member's partner names, or not all is refused."""
    own = [g for g in grants if g.partner == member.partner] * 3
    known = draw(st.sampled_from([None, *own]))
    titles = [*TITLES, "no-such-title"]
    resources = [*RESOURCES, "no-such-family"]
    since, until = draw(windows)
    if known:
        titles = [t for t in TITLES if {t, PARENT.get(t)} & known.titles]
        resources = [r for r in RESOURCES if RESOURCES[r].opened_by(known.families)] or resources
        exits = tuple(e for e in exits if e in known.exits) or exits
        since, until = draw(
            st.sampled_from([(0, DAYS), (since, until), (known.since, known.until)])
        )
    return asked(
        draw(st.sampled_from(titles)),
        draw(st.sampled_from(resources)),
        exit=draw(st.sampled_from(exits)),
        since=since,
        until=until,
        territory=draw(st.sampled_from((None, None, *TERRITORIES, "TW"))),
        clip=draw(st.sampled_from((True, False))),
    )


@st.composite
def cases(draw: st.DrawFn, exits: tuple[str, ...] = EXITS) -> tuple[Any, ...]:
    grants = draw(grants_of())
    member = draw(members_of(grants))
    return grants, member, [draw(questions(grants, member, exits)) for _ in range(EACH)]


@st.composite
def wishes(draw: st.DrawFn) -> tuple[list[Granted], Member, tuple[int, int]]:
    """Of a member who may ask for a bundle."""
    grants = draw(grants_of())
    return grants, draw(members_of(grants, shut=())), draw(windows)


# --- the world, once -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with django_db_blocker.unblock(), transaction.atomic():
        yield build_world()
        transaction.set_rollback(True)


@contextmanager
def granted(world: World, grants: list[Granted], member: Member) -> Iterator[Any]:
    """The member, with these grants in the database until the block ends."""
    with transaction.atomic():
        for grant in grants:
            world.grant(grant)
        yield world.member(member)
        transaction.set_rollback(True)


def tried(pairs: int) -> Any:
    return settings(
        max_examples=pairs // EACH,
        suppress_health_check=list(HealthCheck),
    )


def say(what: str) -> None:
    """Past xdist, which keeps what its workers print."""
    print(what, file=sys.stderr, flush=True)


def none_missing(kinds: Counter[str], pairs: int) -> None:
    """So many pairs were tried and each kind of answer occurred: the test is not empty."""
    said = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
    say(f"oracle: {sum(kinds.values())} pairs: {said}")
    assert sum(kinds.values()) >= pairs
    few = [k for k in ("answered", "clipped", "outside", "refused") if kinds[k] < pairs // 100]
    assert few == [], said


# --- both sides ----------------------------------------------------------------------------------


def sorted_rows(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted((k, as_told(v)) for k, v in row.items())) for row in rows)


def expected_of(world: World, grants: list[Granted], member: Member, q: Asked) -> Any:
    verdict = decide(world.platform, grants, member, q)
    return verdict if isinstance(verdict, str) else (verdict[0], rows_of(q, *verdict))


def kind_of(expected: Any, q: Asked) -> str:
    if isinstance(expected, str):
        return expected
    return "clipped" if q.clip and _is_narrower(q, expected[0]) else "answered"


def _is_narrower(q: Asked, cells: set[tuple[str, int]]) -> bool:
    """Whether a day of a territory that is answered is not, or not over all territories."""
    return cells != {(t, d) for t, _ in cells for d in range(q.since, q.until)}


def assert_same_rows(q: Asked, rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    if q.resource in SAYS_WHY and not expected:
        assert len(rows) == 1
        assert is_nothing(rows[0])
    else:
        assert sorted_rows(rows) == sorted_rows(expected)


def answer_of(world: World, membership: Any, q: Asked) -> Any:
    """What `run` says, in the oracle's words."""
    scope = scope_for(membership, q.exit)
    question = Query(
        world.id_of(q.title), q.resource, Window(day(q.since), day(q.until)), q.territory
    )
    try:
        if q.clip:
            clipped = query.clip(question, scope)
            if clipped is None:
                return "outside"
            question = clipped
        result = query.run(question, scope)
    except Refused:
        return "refused"
    except OutsideScope:
        return "outside"
    cells = {
        (p.territory, d)
        for p in result.answered
        for d in range(DAYS)
        if p.window.since <= day(d) < p.window.until
    }
    return cells, list(result.rows())


# --- run -----------------------------------------------------------------------------------------


def test_run_answers_what_the_oracle_says(world: World) -> None:
    """P1, P2; cases 3, 4, 5, 10."""
    kinds: Counter[str] = Counter()

    @tried(RUN)
    @given(case=cases())
    def each(case: tuple[list[Granted], Member, list[Asked]]) -> None:
        grants, member, asked_ = case
        with granted(world, grants, member) as membership:
            for q in asked_:
                expected = expected_of(world, grants, member, q)
                answer = answer_of(world, membership, q)
                kinds[kind_of(expected, q)] += 1
                if isinstance(expected, str) or isinstance(answer, str):
                    assert answer == expected, q
                else:
                    assert answer[0] == expected[0], q
                    assert_same_rows(q, answer[1], expected[1])

    each()
    none_missing(kinds, RUN)


# --- REST ----------------------------------------------------------------------------------------


def test_rest_and_csv_answer_what_the_oracle_says(world: World) -> None:
    """P1, P6; cases 3, 21: JSON is `web`, the same as a file is `export` as well."""
    kinds: Counter[str] = Counter()

    @tried(REST)
    @given(case=cases(("web",)))
    def each(case: tuple[list[Granted], Member, list[Asked]]) -> None:
        grants, member, asked_ = case
        with granted(world, grants, member) as membership:
            client = SignedIn(membership.user)
            for q in asked_:
                kinds[kind_of(expected_of(world, grants, member, q), q)] += 1
                _compare_json(world, client, grants, member, q)
                _compare_csv(world, client, grants, member, q)

    each()
    none_missing(kinds, REST)


def _url(member: Member, q: Asked) -> str:
    where = f"&territory={q.territory}" if q.territory else ""
    return (
        f"/api/v1/p/{member.partner}/titles/{q.title}/{q.resource}/"
        f"?from={day(q.since)}&until={day(q.until)}{where}&clip={int(q.clip)}"
    )


STATUS = {"refused": 404, "outside": 400}


def _compare_json(
    world: World, client: SignedIn, grants: list[Granted], member: Member, q: Asked
) -> None:
    expected = expected_of(world, grants, member, q)
    answer = client.get(_url(member, q))
    if isinstance(expected, str):
        # a disabled user is not signed in at all
        wanted = 401 if member.shut == "disabled" else STATUS[expected]
        assert answer.status_code == wanted, q
        return
    assert answer.status_code == 200, q
    assert_same_rows(q, answer.json()["rows"], expected[1])


def _compare_csv(
    world: World, client: SignedIn, grants: list[Granted], member: Member, q: Asked
) -> None:
    seen = expected_of(world, grants, member, replace(q, clip=True))
    expected = expected_of(world, grants, member, replace(q, exit="export"))
    answer = client.get(_url(member, q), headers={"accept": "text/csv"})
    if member.shut == "disabled":
        assert answer.status_code == 401
    elif seen == "refused":
        assert answer.status_code == 404
    elif expected == "refused":
        assert answer.status_code == 403
    elif expected == "outside":
        assert answer.status_code == 400
    else:
        assert answer.status_code == 200
        assert_same_csv(q, answer.content, expected[1])


def assert_same_csv(q: Asked, content: bytes, expected: list[dict[str, Any]]) -> None:
    rows = [
        {name: unguard(cell) for name, cell in row.items()}
        for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    ]
    if q.resource in SAYS_WHY and not expected:
        assert [bool(cell) for row in rows for cell in row.values()].count(True) == 1
        assert rows[0]["hidden_reason"]
    else:
        told = [{name: text_of(value) for name, value in row.items()} for row in expected]
        assert sorted_rows(rows) == sorted_rows(told)


# --- bundles and mail ----------------------------------------------------------------------------


def test_bundles_and_mails_hold_what_the_oracle_says(
    world: World, storage: object, mailbox: Mailbox, text_of: Callable[[bytes], str]
) -> None:
    """P1, P6: every file of a bundle, its PDF's plays, and a mail that holds no figure."""
    kinds: Counter[str] = Counter()

    @settings(max_examples=BUNDLES, suppress_health_check=list(HealthCheck))
    @given(case=wishes())
    def each(case: tuple[list[Granted], Member, tuple[int, int]]) -> None:
        grants, member, window = case
        with granted(world, grants, member) as membership:
            kinds[_compare_bundle(world, grants, member, membership, window, text_of)] += 1
            _compare_mail(mailbox, membership)

    each()
    say(f"oracle: {dict(kinds)}")
    assert sum(kinds.values()) >= BUNDLES
    assert kinds["built"] >= BUNDLES // 4
    assert kinds["nothing"] >= 1


def _compare_bundle(
    world: World,
    grants: list[Granted],
    member: Member,
    membership: Any,
    window: tuple[int, int],
    text_of_pdf: Callable[[bytes], str],
) -> str:
    expected = {}
    for title in TITLES:
        for resource in RESOURCES:
            q = asked(
                title, resource, exit="export", since=window[0], until=window[1],
                territory=None, clip=True,
            )  # fmt: skip
            answer = expected_of(world, grants, member, q)
            if not isinstance(answer, str):
                expected[f"data/{title}/{resource}.csv"] = (q, answer[1])
    try:
        bundle = ask_bundle(
            membership=membership, titles=None, window=Window(day(window[0]), day(window[1])),
            language="en",
        )  # fmt: skip
    except CannotAsk:
        assert expected == {}
        return "nothing"
    if not build(bundle.pk):
        assert not any(rows for _, rows in expected.values())
        return "nothing"
    bundle = Bundle.objects.get(pk=bundle.pk)
    with (
        storage_of.open_stored(bundle.artefact.path) as stored,
        zipfile.ZipFile(stored) as packed,
    ):
        files = {name: packed.read(name) for name in packed.namelist()}
    assert {name for name in files if name.endswith(".csv")} == set(expected)
    for name, (q, rows) in expected.items():
        assert_same_csv(q, files[name], rows)
    text = text_of_pdf(files["report.pdf"])
    for title in TITLES:
        assert (f"ZQB-{title}" in text) == any(f"/{title}/" in name for name in expected)
    return "built"


def _compare_mail(mailbox: Mailbox, membership: Any) -> None:
    for delivery in Delivery.objects.filter(recipient=membership):
        before = len(mailbox.messages)
        assert send(delivery.pk)
        [message] = mailbox.messages[before:]
        assert message["To"] == membership.user.email
        texts = [message.get_body((kind,)) for kind in ("plain", "html")]
        assert not any("ZQB-" in text.as_string() for text in texts if text is not None)
        delivery.refresh_from_db()
        files = [file.get_content() for file in message.iter_attachments()]
        with storage_of.open_stored(delivery.bundle.artefact.path) as stored:
            assert files == ([stored.read()] if delivery.attached else [])
