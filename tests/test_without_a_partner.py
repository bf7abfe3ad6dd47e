"""P3, fail closed: whoever forgets to say for which partner reads nothing.

Every public function of the packages that read partner data is called with Borealis' own people
and things, under the site's login, by whom the step into a role was forgotten: it must end in an
error of the database or read nothing. A function that is added is called as well; one with a
parameter that nobody has named here fails until somebody does.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from django.core.management import call_command, get_commands
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, models, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

import partners
import reports
from engagement import measured, query
from engagement.roles import PARTNER, WEB, acting_as
from engagement.scope import Query, Refused, Scope
from partners import activity, credentials
from partners.access import scope_for
from partners.grants import Terms
from partners.members import Place
from partners.models import AccessRequest, AuditEvent, Credential, Entitlement
from partners.second_factors import factors_of
from reports import deliver, jobs, schedules
from reports.models import Bundle, Delivery, Job
from reports.plan import ask_bundle
from tests.cast import CANARY, Cast
from tests.reports import film
from tests.walls import WHOLE


def modules() -> Iterator[Any]:
    for package in (partners, reports):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if not found.ispkg and not found.name.endswith((".apps", ".admin", ".wall")):
                yield importlib.import_module(found.name)
    yield from (query, measured)


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    for module in modules():
        for name, function in vars(module).items():
            if (
                inspect.isfunction(function)
                and function.__module__ == module.__name__
                and not name.startswith("_")
            ):
                yield f"{module.__name__}.{name}", function


FUNCTIONS = dict(functions())
OF_A_PARTNER = {
    "membership", "member", "owner", "actor", "leaver", "user", "partner", "partner_id", "partners",
    "partner_slug", "bundle", "bundle_id", "schedule_id", "delivery", "delivery_id", "notice_id",
    "job_id", "grant", "credential", "credential_id", "request_id", "member_id", "asked", "scope",
    "entitlements", "claim", "model", "titles",
}  # fmt: skip
"""Names of parameters by which a function is told whose data it is about."""


def reads_partner_data(function: Callable[..., Any]) -> bool:
    names = set(inspect.signature(function).parameters)
    return bool(names & OF_A_PARTNER) or not names


_RECORDS = ("partners.audit.record", "partners.audit.record_for_each",
            "partners.login_events.record_of_login")  # fmt: skip
_NARROW = (
    "partners.difference.on_narrowing",
    "partners.narrowing.checked",
    "partners.narrowing.narrow",
)


@pytest.fixture
def said(cast: Cast) -> dict[str, Any]:
    """A value of Borealis' own for each parameter, made before the role is forgotten."""
    bundle = ask_bundle(membership=cast.bob, titles=None, window=WHOLE, language="en")
    schedule = schedules.create(
        membership=cast.bob, name="ZQB-weekly", titles=None, weekday=2, hour=9,
        zone="Asia/Shanghai", language="en", recipients=[cast.bob.pk],
    )  # fmt: skip
    delivery = Delivery.objects.create(
        partner=cast.borealis, bundle=bundle, recipient=cast.bob, address="bob@example.com",
        message_id="<x@y>",
    )  # fmt: skip
    credential, _ = credentials.make(
        membership=cast.bob, name="ZQB", exits=["api"], families=None, networks=[]
    )
    asked = AccessRequest.objects.create(
        partner=cast.borealis, title=cast.foreign, asked_by=cast.bob.user, families=["viewing"],
        reason="ZQB",
    )  # fmt: skip
    event = AuditEvent.objects.create(
        actor=cast.bob.user, partner=cast.borealis, action="list.read", target="x"
    )
    told_to_bob = next(
        e.id for e in activity.activity_of(cast.bob, activity.Wanted(), most=50)[0]
        if e.target == event.target
    )  # fmt: skip
    grant = cast.grants["foreign"]
    scope = scope_for(cast.bob, "web")
    return {
        **dict.fromkeys(("membership", "member", "owner", "leaver"), cast.bob),
        "user": cast.bob.user, "by": cast.stella, "partner": cast.borealis,
        "partners": [cast.borealis], "partner_id": cast.borealis.pk, "partner_slug": "borealis",
        "bundle": bundle, "bundle_id": bundle.pk, "schedule_id": schedule.pk,
        "schedule": schedule, "delivery": delivery, "delivery_id": delivery.pk,
        "notice_id": uuid4(), "job_id": bundle.pk, "model": Bundle, "grant": grant,
        "credential": credentials.with_state(Credential.objects.all()).get(),
        "credential_id": credential.pk,
        "credentials": Credential.objects.all(), "asked": asked, "request_id": asked.pk,
        "member_id": cast.bob.pk, "scope": scope, "titles": [cast.foreign.pk],
        "title_ids": [cast.foreign.pk], "title_id": cast.foreign.pk, "slug": "foreign",
        "slugs": ["foreign"], "entitlements": Entitlement.objects.filter(grant=grant),
        "claim": jobs.Claim(Bundle, bundle.pk, 0), "actor": cast.bob, "exit": "web",
        "window": WHOLE, "language": "en", "name": "x", "weekday": 1, "hour": 1,
        "zone": "Asia/Shanghai", "recipients": [cast.bob.pk], "families": ["viewing"],
        "reason": "x", "answer": "x", "email": "new@example.com", "role": "viewer",
        "place": Place("viewer"), "wanted": activity.Wanted(), "most": 10, "told": uuid4(),
        "exits": ["api"], "networks": [], "request": None, "action": "list.read", "target": "x",
        "query": Query(cast.foreign.pk, "viewing", WHOLE),
        "queries": [Query(cast.foreign.pk, "viewing", WHOLE)],
        "resource": query.resource_for("viewing"), "chapters": [], "state": Job.State.DONE,
        "failure": Job.Failure.BROKEN, "problem": "x", "after": timedelta(1),
        "within": timedelta(1), "kind": deliver.Post, "at": datetime(2026, 1, 1, tzinfo=UTC),
        "terms": Terms.of(grant), "which": models.Q(), "names": ["x"], "id": uuid4(),
        "ways": ["password"], "what": "x", "proposed": grant, "token": "x",
        "code": "123456", "to": cast.bob,
        "outcome": "failed", "job": delivery, "report": film.REPORT, "under": scope,
        "recipient": cast.bob, "check": lambda: None,
        "wish": {"name": "x", "titles": None, "weekday": 1, "hour": 1, "zone": "Asia/Shanghai",
                 "language": "en", "recipients": [cast.bob.pk]},
        "of its own": {
            **{name: {"actor": cast.bob.user} for name in _RECORDS},
            **{name: {"to": Terms.of(grant)} for name in _NARROW},
            "partners.request_states.move": {"to": AccessRequest.State.DECLINED},
            "partners.request_states.record_request": {"what": "declined"},
            "partners.second_factors.changed": {"before": factors_of(cast.bob.user)},
            "partners.activity.record_of": {"told": told_to_bob},
            "reports.deliver.post": {"kind": deliver._BUNDLES},
        },
    }  # fmt: skip


@contextmanager
def forgotten(role: str) -> Iterator[None]:
    """Under `role` of no partner, with each step into another role left out."""

    @contextmanager
    def stays(*args: Any, **kwargs: Any) -> Iterator[None]:
        with transaction.atomic():
            yield

    with pytest.MonkeyPatch.context() as patch, acting_as(role):
        for name, module in list(sys.modules.items()):
            if name.split(".")[0] in ("partners", "reports", "engagement", "portal") and (
                getattr(module, "acting_as", None) is acting_as
            ):
                patch.setattr(module, "acting_as", stays)
        yield
        transaction.set_rollback(True)


def read(found: Any) -> Any:
    """What a lazy answer says once it is looked at."""
    if isinstance(found, QuerySet) or inspect.isgenerator(found):
        return list(found)
    return found


def tells(found: Any) -> bool:
    """Whether anything is in an answer, which may be a pair of a list and a cursor."""
    if isinstance(found, Scope):
        return bool(found.entitled)
    return any(map(tells, found)) if isinstance(found, tuple) else bool(found)


def outcome(name: str, function: Callable[..., Any], arguments: dict[str, Any]) -> str:
    """`refused`, `asks nothing`, `nothing`, or what it told."""
    with CaptureQueriesContext(connection) as queries:
        try:
            with transaction.atomic():
                found = read(function(**arguments))
        except (DatabaseError, Refused, models.ObjectDoesNotExist) as error:
            return f"refused {type(error).__name__}"
        except Exception as error:
            ours = type(error).__module__.split(".")[0] in ("partners", "reports", "engagement")
            if ours or isinstance(error, ABSENT.get(name, ())):
                return f"refused {type(error).__name__}"
            return f"{type(error).__name__}: {error}"
    if not [q for q in queries if "SAVEPOINT" not in q["sql"]]:
        return "asks nothing"
    return f"told {found!r}"[:200] if tells(found) else "nothing"


def arguments_of(name: str, function: Callable[..., Any], said: dict[str, Any]) -> dict[str, Any]:
    of_its_own = said | said["of its own"].get(name, {})
    return {
        p.name: of_its_own[p.name]
        for p in inspect.signature(function).parameters.values()
        if p.default is p.empty and p.kind is not p.VAR_KEYWORD
    } | (said["wish"] if "wish" in inspect.signature(function).parameters else {})


READ_BY_THE_DOOR = {
    # before the partner is known the site's login finds out whose member somebody is and what
    # is granted; it reads no number, and no row of a partner's own
    "partners.access.membership_for": "the door itself",
    "partners.access.scope_for": "what is granted; only `run` turns it into numbers",
    "partners.access.title_for": "a title's name, of a scope that was made",
    "partners.difference.member_reach": "what is granted",
    "partners.difference.on_narrowing": "what is granted",
    "partners.difference.on_revoking": "what is granted",
    "partners.explain.what": "what is granted",
    "partners.grants.opens": "what is granted",
    "partners.grants.reach_of_rows": "what is granted",
    "partners.narrowing.checked": "the terms that it was given",
    "partners.members.members_of": "who is a member",
    "partners.members.member_for": "who is a member",
    "partners.single_sign_on.opens": "a way to sign in",
    "partners.single_sign_on.may_change_sign_in": "a way to sign in",
    "partners.single_sign_on.password_is_closed": "a way to sign in",
    "reports.mails.message_of": "a mail about the row that it was given: no number is in it",
    "reports.plan.content": "which questions a bundle would ask, and no answer",
    "engagement.query.titles_in": "a title's name, of a scope that was made",
}
NOBODYS = {
    # functions that ask the database for nothing of a partner's, under whatever role
    "partners.anchor.lines": "reads the anchor's file, of hashes",
    "partners.anchor.last": "reads the anchor's file, of hashes",
    "reports.ledger.line_of": "words about the bundle and the mail that it was given",
    "reports.runs.database_now": "the database's clock",
    "reports.links.to_bundle": "signs the address of a bundle's page, which asks for sign-in",
    "partners.sessions.end_other_sessions": "asks the request which session is kept",
}
ABSENT = {
    # the title is not there: so says the dictionary it was to be found in
    "engagement.query.run": KeyError,
    "engagement.query.run_each": KeyError,
}


def test_p3_every_function_whose_data_it_is_told_is_known_here(said: dict[str, Any]) -> None:
    """One with a parameter without a value here would not be called below."""
    called = {n: f for n, f in FUNCTIONS.items() if reads_partner_data(f)}
    assert len(called) > 120
    for name, function in called.items():
        try:
            arguments_of(name, function, said)
        except KeyError as missing:
            pytest.fail(f"{name}: give {missing} a value in `said`")
    assert set(READ_BY_THE_DOOR) | set(NOBODYS) | set(ABSENT) <= set(called)


@pytest.mark.parametrize("role", [WEB, PARTNER])
def test_p3_without_a_partner_no_function_reads_or_changes_a_partners_rows(
    said: dict[str, Any], anchor_file: Path, role: str
) -> None:
    """As the site's login before it became anybody, and as a partner's role of no partner."""
    open_ = []
    for name, function in FUNCTIONS.items():
        if not reads_partner_data(function) or name in NOBODYS:
            continue
        arguments = arguments_of(name, function, said)
        with forgotten(role):
            got = outcome(name, function, arguments)
        if got.startswith(("refused", "asks nothing", "nothing")):
            continue
        if role != WEB or name not in READ_BY_THE_DOOR:
            open_.append(f"{name}: {got}")
    assert open_ == []


def test_p3_with_a_partner_the_same_functions_do_read(said: dict[str, Any], cast: Cast) -> None:
    """So that what is refused above is refused for want of a partner, not of an argument."""
    reads = (
        "partners.activity.activity_of", "partners.credentials.credentials_of",
        "partners.credentials.credential_for", "partners.access_requests.requests_of",
        "partners.members.members_of", "reports.downloads.bundle_for",
        "reports.downloads.bundles_of", "reports.schedules.schedules_of",
        "reports.schedules.schedule_for", "engagement.query.run", "engagement.query.releases",
        "engagement.query.measured",
    )  # fmt: skip
    with acting_as(PARTNER, partner_id=cast.borealis.pk):
        for name in reads:
            got = outcome(name, FUNCTIONS[name], arguments_of(name, FUNCTIONS[name], said))
            assert got.startswith("told"), (name, got)
    for name in reads:
        if name != "partners.members.members_of":
            with forgotten(WEB):
                got = outcome(name, FUNCTIONS[name], arguments_of(name, FUNCTIONS[name], said))
            assert got.startswith(("refused", "nothing")), (name, got)


def test_p3_a_scope_is_never_left_out_and_one_of_nobody_is_answered_nothing(cast: Cast) -> None:
    for name, function in FUNCTIONS.items():
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name in ("scope", "partner_id"):
                assert parameter.default is parameter.empty, name
    asked = Query(cast.foreign.pk, "viewing", WHOLE)
    with pytest.raises(Refused):
        query.run(asked, Scope(uuid4(), "web"))
    entitled = scope_for(cast.bob, "web").entitled
    for stranger in (uuid4(), cast.aurora.pk):
        forged = Scope(stranger, "web", entitled)
        assert not any(row["plays"] for row in query.run(asked, forged).rows())
        assert query.releases(forged) == query.changes(forged) == []
        assert query.measured(forged, cast.foreign.pk) is None


# --- tasks and commands --------------------------------------------------------------------------


def test_p3_a_task_without_its_role_reads_and_changes_nothing(
    said: dict[str, Any], anchor_file: Path
) -> None:
    """Every task there is; what it is told is an id, and whose it is stands in that row."""
    ours = {
        n: t for n, t in current_app.tasks.items() if n.split(".")[0] in ("reports", "partners")
    }
    assert len(ours) >= 9
    before = {m: list(m.objects.order_by("pk").values()) for m in (Bundle, Delivery, AuditEvent)}
    for role in (WEB, PARTNER):
        for name, task in ours.items():
            arguments = arguments_of(name, task.run, said)
            with forgotten(role):
                got = outcome(name, task.run, arguments)
            assert got.startswith(("refused", "nothing")), (name, got)
    for model, rows in before.items():
        assert list(model.objects.order_by("pk").values()) == rows


OF_THE_OPERATOR = {
    # commands that read as staff, whoever runs them at the shell of the server
    "explain": "a partner is its argument; tells what is granted, no number",
    "demo_state": "counts of states, and the accounts of the invented sample",
    "record_bounces": "marks the delivery whose Message-ID it is given; tells counts",
}
OF_NO_ROWS = {
    "compilemessages", "demo", "generate_sample", "services", "setup_database", "load_sample",
    "check_wall",
}  # fmt: skip
"""Commands that start servers, write files, or log in as the owner by themselves."""
OF_ANOTHER_LOGIN = {
    # command: what it is asked
    "ingest": ("HERE",),
    "rebuild": (),
    "check_freshness": (),
    "close_month": ("2026-01", "--by", "stella@platform.example.com"),
    "replay_revocations": ("--by", "stella@platform.example.com"),
    "dumpdata": ("reports.bundle", "engagement.viewingfact"),
}
WRITTEN = {"demo_state": ("--write", "HERE/demo.json")}
OF_THE_TRAIL = {"seal_audit", "verify_audit"}
"""They read hashes of the audit trail, of all partners, and tell how many there are."""


def test_p3_every_command_of_ours_is_classified() -> None:
    ours = {
        name
        for name, app in get_commands().items()
        if app in ("portal", "partners", "reports", "engagement")
    }
    assert ours - {"dumpdata"} == (
        (set(OF_THE_OPERATOR) | OF_NO_ROWS | set(OF_ANOTHER_LOGIN) | OF_THE_TRAIL) & ours
    )


@pytest.mark.parametrize("command", sorted({*OF_ANOTHER_LOGIN, *OF_THE_TRAIL, "demo_state"}))
def test_p3_a_command_without_its_role_reads_no_partners_rows(
    cast: Cast, anchor_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """The site's login cannot take the publisher's or the owner's role: test_walls_postgres.py."""
    options = OF_ANOTHER_LOGIN.get(command, WRITTEN.get(command, ()))
    with forgotten(WEB), pytest.raises((DatabaseError, CommandError)) as refused:
        call_command(command, *(o.replace("HERE", str(tmp_path)) for o in options))
    said = "".join(capsys.readouterr()) + str(refused.value)
    assert re.search("permission denied|there is no|HERE|no such", said, re.I), said
    assert not re.search(f"ZQB|{CANARY}", said)
