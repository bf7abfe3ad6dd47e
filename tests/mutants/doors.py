"""Who comes in at all: each condition of the doors in turn, with both walls up.

What the doors let in is tried over HTTP, by sessions, tokens, staff who look and single sign-on;
each answer must be the one it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import F
from django.test import Client
from django.utils import timezone

from partners import credentials, single_sign_on, staff_views
from partners.models import Credential, IdentityProvider, Membership, Partner, StaffView, User
from portal.web import middleware
from portal.web import single_sign_on as sign_on
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.mutants import report
from tests.mutants.code import mutants_of
from tests.partners.conftest import Staff

FUNCTIONS: list[Any] = [
    middleware.RoleMiddleware._enter_partner,
    middleware.RoleMiddleware._look,
    middleware._membership,
    middleware._staff_view,
    staff_views.view_of,
    staff_views.may_view,
    staff_views.open_views,
    single_sign_on.opens,
    sign_on.ways,
    credentials.look_up,
]
MAY = {
    "_enter_partner: not request.user.is_authenticated": "the page asks for sign-in itself",
    "_staff_view: not isinstance": "may_view asks it, and whether one may look",
    "may_view: user.is_staff": "_staff_view asks it, and each view of its staff",
    "may_view: user.is_active": "nobody disabled has a session, and each view asks it",
    "open_views: staff__is_active=True": "may_view asks it of who looks",
    "open_views: staff__is_staff=True": "may_view asks it of who looks",
    "look_up: not is_well_formed(token)": "only spares looking: nobody has such a token",
    "look_up: token_sha256=_hash(token)": "PostgreSQL shows the row of the named hash alone",
}


def _through(client: SignedIn, provider: IdentityProvider) -> SignedIn:
    """The same browser, signed in by a provider."""
    session = client.session
    session["account_authentication_methods"] = [
        {"method": sign_on.METHOD, "provider": str(provider.pk), "at": time.time()}
    ]
    session.save()
    return client


def _token(maker: Membership, **more: Any) -> tuple[Credential, Client]:
    fields: dict[str, Any] = {"exits": ["api"], "families": None, "networks": []} | more
    made, token = credentials.make(membership=maker, name="x", **fields)
    return made, _by(token)


def _by(token: str) -> Client:
    return Client(headers={"authorization": f"Bearer {token}"})


def _lookers(cast: Cast, staff: Staff) -> dict[str, User]:
    """Staff who look as Aurora, all but the first not rightly (any more)."""
    away = Partner.objects.create(slug="away", name_zh="away", suspended_at=timezone.now())
    gone, disabled = (User.objects.create_user(f"{name}@example.com") for name in ("gone", "off"))
    Membership.objects.create(user=disabled, partner=cast.aurora, role="viewer")
    User.objects.filter(pk=disabled.pk).update(is_active=False)
    views: dict[str, dict[str, Any]] = {
        "looks": {},
        "looks as a member": {"seen_as": cast.amy.user},
        "looks as somebody who left": {"seen_as": gone},
        "looks as somebody disabled": {"seen_as": disabled},
        "looks as a competitor's member": {"seen_as": cast.bob.user},
        "looked half an hour ago": {
            "started_at": timezone.now() - timedelta(minutes=31),
            "ends_at": timezone.now() - timedelta(minutes=2),
        },
        "has ended it": {"ended_at": timezone.now()},
        "looks as one suspended": {"partner": away},
        "is limited to others": {},
        "has another role": {},
    }
    people = {}
    for n, (name, fields) in enumerate(views.items()):
        person = User.objects.create_user(f"looker-{n}@platform.example.com", is_staff=True)
        role = "Data operations" if name == "has another role" else "Partner managers"
        person.groups.add(Group.objects.get(name=role))
        if name == "is limited to others":
            User.objects.filter(pk=person.pk).update(limit_partners=[cast.borealis.pk])
        view = StaffView.objects.create(
            partner=fields.pop("partner", cast.aurora), staff=person, reason="a question"
        )
        StaffView.objects.filter(pk=view.pk).update(**fields)
        people[name] = User.objects.get(pk=person.pk)
    return people


def entrances(cast: Cast, staff: Staff) -> Callable[[], list[Any]]:
    """Somebody at each door; returns what asks at all of them."""
    both = Membership.objects.create(user=cast.alice.user, partner=cast.cirrus, role="owner")
    leaver = Membership.objects.create(user=cast.bob.user, partner=cast.cirrus, role="owner")
    providers = {}
    for partner, fields in (
        (cast.borealis, {"enabled": True, "enforced": True}), (cast.cirrus, {"enabled": False}),
    ):  # fmt: skip
        providers[partner.slug] = IdentityProvider.objects.create(
            partner=partner, issuer=f"https://{partner.slug}.example.com", client_id="x", **fields
        )
    good, away = _token(cast.alice)[1], _token(cast.alice, networks=["192.0.2.0/24"])[1]
    revoked, late, left = _token(both), _token(cast.alice), _token(leaver)
    credentials.revoke(revoked[0], by=cast.alice.user)
    Credential.objects.filter(pk=late[0].pk).update(expires_at=F("made_at") + timedelta(seconds=1))
    leaver.delete()
    lookers = _lookers(cast, staff)
    clients: dict[str, Client] = {
        "nobody": Client(),
        "alice": SignedIn(cast.alice.user),
        "bob": SignedIn(cast.bob.user),
        "bob, through his provider": _through(SignedIn(cast.bob.user), providers["borealis"]),
        "cleo, through one not enabled": _through(SignedIn(cast.cleo.user), providers["cirrus"]),
        "cleo": SignedIn(cast.cleo.user),
        "one of the staff who began no view": SignedIn(staff.ada),
        **{name: SignedIn(person) for name, person in lookers.items()},
        "a token": good,
        "a token of one who signs on elsewhere": _token(cast.bob)[1],
        "a token that nobody made": Client(
            headers={"authorization": f"Bearer {credentials.new_token()}"}
        ),
        "a token from elsewhere": away,
        "a revoked token": revoked[1],
        "an expired token": late[1],
        "a token whose maker is gone": left[1],
        "no token": _by("x"),
    }
    asks = [
        (who, method, path)
        for who in clients
        for slug in ("aurora", "borealis", "cirrus", "away")
        for method, path in (("get", f"/p/{slug}/"), ("get", f"/api/v1/p/{slug}/titles/"))
    ] + [("looks", "post", "/p/aurora/reports/"), ("looks", "head", "/p/aurora/")]

    time.sleep(1.1)  # past the end of the token that is late

    def ask() -> list[Any]:
        told = []
        for who, method, path in asks:
            with transaction.atomic():
                answer = getattr(clients[who], method)(path)
                told.append((who, method, path, answer.status_code, answer.get("Location")))
                transaction.set_rollback(True)
        return told

    return ask


@pytest.mark.django_db
def test_each_condition_of_the_doors(cast: Cast, staff: Staff) -> None:
    ask = entrances(cast, staff)
    wanted = ask()
    assert {status for *_, status, _ in wanted} >= {200, 302, 401, 403, 404}
    killed, survivors = 0, []
    for mutant in mutants_of(FUNCTIONS):
        put_back = mutant.install()
        try:
            with transaction.atomic():
                try:
                    holds = ask() == wanted
                except Exception:  # it no longer runs: nobody comes in
                    holds = False
                transaction.set_rollback(True)
        finally:
            put_back()
        if holds:
            survivors.append(mutant.name)
        else:
            killed += 1
    assert ask() == wanted
    report("the doors", killed, survivors, allowed=MAY)
