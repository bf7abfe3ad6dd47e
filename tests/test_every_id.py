"""Ids of others, of another kind and of nothing, in every URL that takes one, by every verb.

tests/test_every_route.py walks the URLs; here each is asked with what it must not open.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.urls import URLPattern

from engagement.scope import Window
from partners.models import AuditEvent
from reports.models import Schedule
from reports.plan import ask_bundle
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.test_every_route import METHODS, OF_A_PARTNER, concrete
from tests.walls import WHOLE

WITH_AN_ID = [path for path in OF_A_PARTNER if re.search(r"<(uuid|int):", path)]
PLACEHOLDERS = (
    ":id", "{id}", "null", "undefined", "0", "-1", "%00", "1" + "0" * 30, "１２", "..%2f..%2fx",
    "' OR 1=1 --",
)  # fmt: skip


def _schedule(cast: Cast, partner: str, owner: str) -> Schedule:
    return Schedule.objects.create(
        partner=getattr(cast, partner), name="ZQB-Weekly", owner=getattr(cast, owner),
        zone="Asia/Shanghai",
    )  # fmt: skip


def everything_of_borealis(cast: Cast) -> dict[str, Any]:
    """One of each kind of thing that is Borealis' and has a UUID."""
    window = Window(WHOLE.since, WHOLE.until)
    return {
        "bundle": ask_bundle(membership=cast.bob, titles=None, window=window, language="en"),
        "schedule": _schedule(cast, "borealis", "bob"),
        "membership": cast.bob,
        "grant": cast.grants["foreign"],
        "partner": cast.borealis,
    }


def said(client: SignedIn, method: str, path: str, id_: object) -> tuple[Any, ...]:
    """Status, body and headers, without the id that was sent."""
    answer = getattr(client, method)(path)
    body = b"" if answer.streaming else answer.content.replace(str(id_).encode(), b"ID")
    headers = sorted(
        (k, v.replace(str(id_), "ID")) for k, v in answer.items() if k != "Content-Length"
    )
    return answer.status_code, re.sub(rb'(action|href|value)="[^"]*"', b"", body), headers


@pytest.mark.parametrize("path", WITH_AN_ID)
def test_the_id_of_anything_of_others_is_as_one_that_is_made_up(cast: Cast, path: str) -> None:
    """Case 1: a bundle's, schedule's, member's, grant's and partner's id, by every verb."""
    kind = "uuid" if "<uuid:" in path else "int"
    if kind == "int":
        pytest.skip("numbers are walked as placeholders")
    theirs = everything_of_borealis(cast)
    before = {name: type(thing).objects.filter(pk=thing.pk).values().get()
              for name, thing in theirs.items()}  # fmt: skip
    alice = SignedIn(cast.alice.user)
    events = AuditEvent.objects.filter(partner=cast.borealis).count()
    for method in METHODS:
        made_up = uuid4()
        wanted = said(alice, method, concrete(path, id=str(made_up), pk=str(made_up)), made_up)
        for name, thing in theirs.items():
            answer = said(alice, method, concrete(path, id=str(thing.pk), pk=str(thing.pk)),
                          thing.pk)  # fmt: skip
            assert answer == wanted, (method, name)
            assert b"ZQB" not in answer[1]
    for name, thing in theirs.items():
        assert type(thing).objects.filter(pk=thing.pk).values().get() == before[name]
    assert AuditEvent.objects.filter(partner=cast.borealis).count() == events


@pytest.mark.parametrize("path", WITH_AN_ID)
def test_an_id_of_another_kind_is_as_one_that_is_made_up(cast: Cast, path: str) -> None:
    """Case 2: Alice's own schedule where a bundle is meant, her bundle where a schedule is."""
    own = {
        "reports/schedule": ask_bundle(
            membership=cast.alice, titles=None, window=WHOLE, language="en"
        ).pk,
        "reports/<uuid": _schedule(cast, "aurora", "alice").pk,
        "deliveries/": _schedule(cast, "aurora", "alice").pk,
        "bundles/": _schedule(cast, "aurora", "alice").pk,
        "team/": _schedule(cast, "aurora", "alice").pk,
    }
    other = next((id_ for part, id_ in own.items() if part in path), cast.alice.pk)
    alice, made_up = SignedIn(cast.alice.user), uuid4()
    for method in METHODS:
        assert said(alice, method, concrete(path, id=str(other), pk=str(other)), other) == said(
            alice, method, concrete(path, id=str(made_up), pk=str(made_up)), made_up
        ), method


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_a_placeholder_opens_nothing(cast: Cast, placeholder: str) -> None:
    """Case 15: never the first row, never an error of ours."""
    alice = SignedIn(cast.alice.user)
    for path in OF_A_PARTNER:
        for name in ("partner", "slug", "resource", "id", "pk"):
            if f":{name}>" in path:
                asked = concrete(path, **{name: placeholder})
                assert alice.get(asked).status_code in (400, 404), asked


# --- the admin -----------------------------------------------------------------------------------

OF_A_MODEL = ("_changelist", "_add", "_history", "_delete", "_change")
OF_THE_SITE = {
    "index", "login", "logout", "password_change", "password_change_done", "jsi18n",
    "autocomplete", "app_list", "view_on_site",
}  # fmt: skip

OURS = {
    # name: the permission that it asks for
    "partners_grant_approve": "partners.approve_grant",
    "partners_consent_approve": "partners.approve_grant",
    "partners_grant_revoke": "partners.change_grant",
    "partners_grant_expiry": "partners.change_grant",
    "partners_partner_invite": "partners.add_invitation",
    "partners_user_invite": "partners.add_user",
    "partners_claimeddomain_verify": "partners.change_claimeddomain",
    "partners_accessrequest_propose": "partners.add_grant",
    "partners_accessrequest_decline": "partners.change_accessrequest",
    "partners_grantbatch_approve": "partners.approve_grant",
    "partners_grant_narrow": "partners.change_grant",
    "partners_staffview_end": "partners.add_staffview",
    "partners_partner_explain": "partners.view_entitlement",
    "partners_partner_view_as": "partners.add_staffview",
    "partners_user_role": "partners.change_user",
    "partners_user_second_factor": "partners.change_user",
    "partners_user_end_access": "partners.change_user",
    "partners_rolechange_decide": "partners.change_rolechange",
    "engagement_titlechange_decide": "engagement.change_titlechange",
}


def _patterns(patterns: Any, prefix: str = "") -> list[tuple[str, str]]:
    found = []
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            found.append((path, pattern.name or ""))
        else:
            found += _patterns(pattern.url_patterns, path)
    return found


def admin_routes() -> list[tuple[str, str]]:
    return _patterns(admin.site.urls[0])


def test_every_route_of_the_admin_is_classified() -> None:
    """One of Django's own, behind its model's permissions, or one of ours that says which."""
    unclassified = [
        (path, name)
        for path, name in admin_routes()
        if name and not name.endswith(OF_A_MODEL) and name not in OF_THE_SITE | set(OURS)
    ]
    assert unclassified == [], "say in OURS which permission it asks for"


def test_a_member_gets_at_no_route_of_the_admin(cast: Cast) -> None:
    """The home page instead: nothing tells which routes or rows there are."""
    alice = SignedIn(cast.alice.user)
    routes = admin_routes()
    assert len(routes) > 60
    for path, name in routes:
        concrete_ = re.sub(r"<[^>]*>|\(\?P<[^)]*\)+", str(cast.grants["foreign"].pk), path)
        if "(" in concrete_ or name in ("logout", "jsi18n"):
            continue  # the catch-all, and what tells of nobody
        for method in ("get", "post"):
            answer = getattr(alice, method)(f"/admin/{concrete_.strip('^$')}")
            assert answer.status_code in (302, 403, 404, 405), (path, method)
            assert b"ZQB" not in answer.content, (path, method)
