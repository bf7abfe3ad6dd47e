"""Grants by a file: read whole, shown, proposed together, approved together by a second person."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import translation

from partners import grant_files, grants
from partners.access import scope_for
from partners.models import AuditEvent, Grant, GrantBatch
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff

HEADER = (
    "partner,contract_reference,titles,families,data_from,data_until,territories,exits,"
    "valid_from,valid_until,replaces\n"
)
GOOD = (
    HEADER
    + "aurora,C-21,hidden|film,viewing|danmu,2026-01-02,2026-01-05,CN|SG,web|export,,2099-01-01,\n"
    + '\ncirrus,"C-22, part",shared,danmu,,,*,delta,2098-01-01,,C-1\n'
)


@pytest.fixture(autouse=True)
def in_english() -> Any:
    with translation.override("en"):
        yield


def problems(row: str) -> list[tuple[int, str]]:
    return [(p.line, p.column) for p in grant_files.read(HEADER + row).problems]


def test_a_file_proposes_what_its_rows_say_and_opens_nothing(cast: Cast, staff: Staff) -> None:
    batch = grant_files.propose("\ufeff" + GOOD, name="autumn.csv", by=staff.mona)
    first, second = batch.grants.order_by("contract_reference")
    assert (first.partner, first.state, first.made_by) == (cast.aurora, "proposed", staff.mona)
    assert sorted(t.slug for t in first.titles.all()) == ["film", "hidden"]
    assert (first.families, first.territories, first.exits) == (
        ["viewing", "danmu"], ["CN", "SG"], ["web", "export"],
    )  # fmt: skip
    assert (first.data_from, first.data_until) == (date(2026, 1, 2), date(2026, 1, 5))
    assert (second.contract_reference, second.replaces) == ("C-22, part", cast.grants["shared-sg"])
    assert cast.hidden.pk not in scope_for(cast.alice, "web").titles()
    assert AuditEvent.objects.get(action="grant_batch.made").detail["grants"] == 2


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("nobody,C,film,danmu,,,CN,web,,,", "partner"),
        ("aurora,,film,danmu,,,CN,web,,,", "contract_reference"),
        ("aurora,C,,danmu,,,CN,web,,,", "titles"),
        ("aurora,C,film|no-such,danmu,,,CN,web,,,", "titles"),
        ("aurora,C,film,money,,,CN,web,,,", "families"),
        ("aurora,C,film,danmu,1.2.2026,,CN,web,,,", "data_from"),
        ("aurora,C,film,danmu,2026-02-01,2026-02-01,CN,web,,,", "data_until"),
        ("aurora,C,film,danmu,,,XX,web,,,", "territories"),
        ("aurora,C,film,danmu,,,CN,fax,,,", "exits"),
        ("aurora,C,film,danmu,,,CN,web,2020-01-01,,", "valid_from"),
        ("aurora,C,film,danmu,,,CN,web,,2020-01-01,", "valid_until"),
        ("aurora,C,film,danmu,,,CN,web,,,C-9", "replaces"),
        ("aurora,C,film,danmu,,,CN,web,,,,more", ""),
    ],
)
def test_a_row_that_is_not_right_is_told_by_its_line(cast: Cast, row: str, column: str) -> None:
    """Case 78: dating back is one of them."""
    good = "aurora,C,film,danmu,,,CN,web,,,\n"
    assert problems(good) == []
    assert problems(good + row) == [(3, column)]


def test_a_header_that_is_not_known_is_refused(cast: Cast) -> None:
    assert [p.column for p in grant_files.read("partner,titel\n").problems] == [
        "contract_reference", "titles", "families", "territories", "exits", "titel",
    ]  # fmt: skip
    assert [p.line for p in grant_files.read(HEADER).problems] == [1]


def test_nothing_is_half_done(cast: Cast, staff: Staff) -> None:
    bad = GOOD + "aurora,C-23,film,money,,,CN,web,,,\n"
    with pytest.raises(grants.GrantError):
        grant_files.propose(bad, name="bad.csv", by=staff.mona)
    assert not GrantBatch.objects.exists()
    assert not Grant.objects.filter(contract_reference__startswith="C-2").exists()


def test_a_second_person_approves_the_whole_file_or_none_of_it(cast: Cast, staff: Staff) -> None:
    """Case 78, by a batch."""
    batch = grant_files.propose(GOOD, name="autumn.csv", by=staff.mona)
    seen = grant_files.digest(grant_files.proposed_of(batch))
    for who, what in ((staff.mona, seen), (staff.dora, seen), (staff.max, "")):
        with pytest.raises(grants.GrantError):
            grant_files.approve(batch, by=who, seen=what)
    grants.revoke(cast.grants["shared-sg"], by=staff.mona)  # what the second row replaces
    with pytest.raises(grants.GrantError, match="not approved any more"):
        grant_files.approve(batch, by=staff.max, seen=seen)
    assert len(grant_files.proposed_of(batch)) == 2
    assert cast.hidden.pk not in scope_for(cast.alice, "web").titles()

    [stale] = batch.grants.filter(partner=cast.cirrus)
    grants.revoke(stale, by=staff.mona)
    seen = grant_files.digest(grant_files.proposed_of(batch))
    assert grant_files.approve(batch, by=staff.max, seen=seen) == 1
    assert scope_for(cast.alice, "web").families(cast.hidden.pk) == {"viewing", "danmu"}


def test_the_page_shows_what_a_file_opens_before_it_proposes_it(cast: Cast, staff: Staff) -> None:
    client, url = SignedIn(staff.mona), reverse("admin:partners_grantbatch_add")

    def send(text: str, **more: str) -> Any:
        file = SimpleUploadedFile("autumn.csv", text.encode())
        return client.post(url, {"file": file, **more})

    page = send(GOOD).content.decode()
    assert "What opens" in page
    assert "Not Granted" in page
    assert not GrantBatch.objects.exists()
    wrong = send(HEADER + "aurora,C,film,money,,,CN,web,,,\n", propose="yes").content.decode()
    assert "is not on the list" in wrong
    assert not GrantBatch.objects.exists()
    response = client.post(url, {"text": GOOD, "name": "autumn.csv", "propose": "yes"})
    batch = GrantBatch.objects.get()
    assert response["Location"] == reverse("admin:partners_grantbatch_change", args=[batch.pk])

    approve = reverse("admin:partners_grantbatch_approve", args=[batch.pk])
    other = SignedIn(staff.max)
    seen = other.get(approve).context["seen"]
    client.post(approve, {"seen": seen})
    assert batch.grants.filter(state="approved").count() == 0
    other.post(approve, {"seen": seen})
    assert batch.grants.filter(state="approved").count() == 2
    assert SignedIn(staff.dora).get(url).status_code == 403
