"""The audit trail: what may be recorded, and that it stays as it was written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from partners.audit import ACTIONS, SHOWN_TO_PARTNERS, record
from partners.models import AuditEvent
from tests.cast import Cast

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
