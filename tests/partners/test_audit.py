"""The audit trail: what may be recorded, and that it stays as it was written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from partners.audit import ACTIONS, SHOWN_TO_PARTNERS, record
from partners.models import AuditEvent
from tests.cast import Cast
from tests.conftest import SignedIn

PROJECT = Path(__file__).parents[2]


def test_an_action_that_nobody_listed_is_refused(cast: Cast) -> None:
    before = AuditEvent.objects.count()
    record("partner.changed", actor=cast.stella, partner=cast.aurora)
    with pytest.raises(ValueError, match="not on the list"):
        record("partner.chnaged", actor=cast.stella, partner=cast.aurora)
    assert AuditEvent.objects.count() == before + 1


def test_every_action_that_the_code_names_is_listed() -> None:
    named = {
        name
        for package in ("engagement", "partners", "portal", "reports")
        for path in (PROJECT / package).rglob("*.py")
        for name in re.findall(r'\brecord\(\s*"([^"]+)"', path.read_text())
    }
    assert len(named) >= 10
    assert named <= set(ACTIONS)


def test_partners_are_shown_listed_actions_only() -> None:
    assert set(ACTIONS) >= SHOWN_TO_PARTNERS


def test_staff_read_every_action_and_the_list_asks_little_of_a_long_table(
    cast: Cast,
) -> None:
    record("grant.made", actor=cast.stella, partner=cast.borealis, target="wanted")
    record("list.read", actor=cast.amy.user, partner=cast.aurora, target="other")
    stella = SignedIn(cast.stella)
    path = "/admin/partners/auditevent/"
    with CaptureQueriesContext(connection) as queries:
        page = stella.get(path, {"action": "grant.made"}).content.decode()
    assert "wanted" in page
    assert ">other<" not in page
    assert not [q for q in queries if "DISTINCT" in q["sql"] and "auditevent" in q["sql"]]
    event = AuditEvent.objects.get(target="wanted")
    shown = stella.get(f"{path}{event.pk}/change/").content.decode()
    assert "proposed a grant" in shown
    assert "dailies_owner as dailies_owner" in shown
    assert stella.post(f"{path}{event.pk}/change/", {"target": "x"}).status_code == 403
    assert stella.post(f"{path}{event.pk}/delete/", {"post": "yes"}).status_code == 403
