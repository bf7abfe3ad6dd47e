"""A walk over every URL of the site. One that nobody has classified fails the walk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from reports.models import Schedule
from tests.cast import Cast
from tests.conftest import SignedIn

UNKNOWN = "00000000-0000-4000-8000-000000000000"
SAMPLES = {
    "partner": "aurora",
    "slug": "film",
    "resource": "viewing",
    "id": UNKNOWN,
    "token": "no-such-token",
    "pk": "1",
    "uidb36": "1",
    "key": "no-such-key",
}
# Open to everybody: sign-in and what leads to it, health, the language, what the signed links of a
# mail lead to (tests/reports/test_mailed_link.py), and REST's own 404.
OPEN = {"healthz", "readyz", "language", "invitation", "api:nothing", "home"} | {
    "mailed-report", "mailed-leave",
}  # fmt: skip
MEMBER_PREFIXES = ("p/<slug:partner>/", "api/v1/p/<slug:partner>/")
SIGNED_IN = {"api:schema", "account_change_password", "account_logout"}
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")


def routes(patterns: Any = None, prefix: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    """(pattern, name) of every route but the admin's, which tests/partners walks."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.namespace != "admin":
                inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
                yield from routes(pattern.url_patterns, path, inner)
        elif isinstance(pattern, URLPattern):
            yield path, f"{space}{pattern.name}"


ROUTES = sorted(set(routes()))
OF_A_PARTNER = [path for path, _ in ROUTES if path.startswith(MEMBER_PREFIXES)]


def concrete(path: str, **values: str) -> str:
    for name, value in {**SAMPLES, **values}.items():
        for converter in ("slug", "uuid", "str", "path", "int"):
            path = path.replace(f"<{converter}:{name}>", value)
        path = path.replace(f"<{name}>", value)
    assert "<" not in path, f"no sample value for {path}"
    return f"/{path}"


def test_every_route_is_classified() -> None:
    unclassified = [
        (path, name)
        for path, name in ROUTES
        if not path.startswith(MEMBER_PREFIXES)
        and name not in OPEN | SIGNED_IN
        and not path.startswith("account/")
    ]
    assert unclassified == []
    assert len(OF_A_PARTNER) >= 15


@pytest.mark.parametrize("path", OF_A_PARTNER)
def test_without_sign_in_a_partners_url_says_nothing(cast: Cast, path: str) -> None:
    answers = set()
    for partner in ("aurora", "no-such-partner"):
        response = Client().get(concrete(path, partner=partner))
        location = response.get("Location", "").replace(partner, "PARTNER")
        answers.add((response.status_code, response.content, location))
    assert len(answers) == 1
    [(status, _, location)] = answers
    assert status == 401 or (status == 302 and location.startswith("/account/login/"))


@pytest.mark.parametrize("path", OF_A_PARTNER)
def test_a_competitor_gets_what_a_made_up_partner_gets(cast: Cast, path: str) -> None:
    """By every method, with the ids of things that exist."""
    schedule = Schedule.objects.create(
        partner=cast.aurora, name="Weekly", owner=cast.alice, zone="Asia/Shanghai"
    )
    bob = SignedIn(cast.bob.user)
    for method in METHODS:
        ours = getattr(bob, method)(concrete(path, id=str(schedule.pk)))
        made_up = getattr(bob, method)(concrete(path, partner="no-such-partner"))
        assert ours.status_code == made_up.status_code == 404, method
        assert ours.content == made_up.content, method
        assert sorted(ours.items()) == sorted(made_up.items()), method
    schedule.refresh_from_db()
    assert schedule.name == "Weekly"


@pytest.mark.parametrize("path", OF_A_PARTNER)
def test_a_suspended_partners_members_are_out(cast: Cast, path: str) -> None:
    from django.utils import timezone

    cast.aurora.suspended_at = timezone.now()
    cast.aurora.save()
    assert SignedIn(cast.alice.user).get(concrete(path)).status_code == 404
