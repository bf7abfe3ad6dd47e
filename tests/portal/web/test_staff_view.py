"""Case 79: staff look as a partner does, for half an hour, to read only, and it is recorded."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from partners import staff_views
from partners.models import AuditEvent, Membership, Partner, StaffView, User
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff

REASON = "Ticket 17: a number is missing"


@pytest.fixture
def mona(cast: Cast, staff: Staff) -> SignedIn:
    """Mona has begun to look as Aurora."""
    client = SignedIn(staff.mona)
    url = reverse("admin:partners_partner_view_as", args=[cast.aurora.pk])
    response = client.post(url, {"reason": REASON})
    assert (response.status_code, response["Location"]) == (302, "/p/aurora/")
    return client


def recorded(what: str) -> list[tuple[User | None, Partner | None, str]]:
    told = AuditEvent.objects.filter(action=f"staff_view.{what}").order_by("id")
    return [(e.actor, e.partner, e.target) for e in told]


def test_case_79_staff_see_what_the_partner_sees_with_a_banner(
    cast: Cast,
    staff: Staff,
    mona: SignedIn,
) -> None:
    text = mona.get("/p/aurora/").content.decode()
    assert "as the partner does, to read only" in text
    assert REASON in text
    assert "The Long Night" in text
    assert "Not Granted" not in text
    assert mona.get("/p/aurora/titles/film/").status_code == 200
    assert mona.get("/api/v1/p/aurora/titles/film/danmu/").status_code == 200
    hidden = mona.get("/p/aurora/titles/hidden/")
    assert hidden.status_code == mona.get("/p/aurora/titles/no-such/").status_code == 404
    assert mona.get("/p/borealis/").status_code == 404
    assert "as the partner does" not in SignedIn(cast.alice.user).get("/p/aurora/").content.decode()


def test_case_79_each_page_is_recorded_with_who_looked(
    cast: Cast,
    staff: Staff,
    mona: SignedIn,
) -> None:
    view = StaffView.objects.get()
    assert recorded("started") == [(staff.mona, cast.aurora, str(view.pk))]
    assert AuditEvent.objects.get(action="staff_view.started").detail["reason"] == REASON
    for path in ("/p/aurora/", "/p/aurora/titles/film/"):
        mona.get(path)
    assert recorded("page") == [
        (staff.mona, cast.aurora, "portfolio"),
        (staff.mona, cast.aurora, "film"),
    ]
    assert not AuditEvent.objects.filter(action="numbers.read").exists()
    back = mona.post(reverse("admin:partners_staffview_end", args=[view.pk]))
    assert back.status_code == 302
    assert recorded("ended") == [(staff.mona, cast.aurora, str(view.pk))]
    assert mona.get("/p/aurora/").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["", "reports/", "reports/schedule/new/", "access/ask/hidden/", "titles/film/"],
)
def test_case_79_nothing_is_sent(cast: Cast, mona: SignedIn, path: str) -> None:
    for method in ("post", "put", "patch", "delete"):
        assert getattr(mona, method)(f"/p/aurora/{path}").status_code == 403


def test_case_79_nothing_is_exported(cast: Cast, mona: SignedIn) -> None:
    for path in (
        "/p/aurora/titles/film/csv/viewing/",
        "/p/aurora/reports/schedule/new/",
        "/p/aurora/access/ask/hidden/",
    ):
        assert mona.get(path).status_code == 404, path
    csv = mona.get("/api/v1/p/aurora/titles/film/viewing/", headers={"accept": "text/csv"})
    assert csv.status_code == 403  # as for any viewer


def test_case_79_it_is_over_after_half_an_hour(cast: Cast, mona: SignedIn) -> None:
    view = StaffView.objects.get()
    assert view.ends_at - view.started_at == timedelta(minutes=30)
    past = timezone.now() - timedelta(minutes=31)
    StaffView.objects.update(started_at=past, ends_at=past + timedelta(minutes=30))
    assert mona.get("/p/aurora/").status_code == 404
    with pytest.raises(IntegrityError, match="staff_view_is_short"), transaction.atomic():
        StaffView.objects.update(ends_at=timezone.now() + timedelta(hours=1))


@pytest.mark.parametrize("closed", ["suspended", "disabled", "no staff"])
def test_case_79_it_is_over_when_either_side_is(
    cast: Cast,
    staff: Staff,
    mona: SignedIn,
    closed: str,
) -> None:
    if closed == "suspended":
        Partner.objects.filter(pk=cast.aurora.pk).update(suspended_at=timezone.now())
    else:
        field = "is_active" if closed == "disabled" else "is_staff"
        User.objects.filter(pk=staff.mona.pk).update(**{field: False})
    assert staff_views.view_of(staff.mona, "aurora") is None
    assert mona.get("/p/aurora/").status_code in (302, 404)


def test_case_79_as_a_member_the_members_limit_holds(cast: Cast, staff: Staff) -> None:
    """And never the member's role: Alice, who owns Aurora, may export; who looks may not."""
    Membership.objects.filter(pk=cast.alice.pk).update(limit_titles=[cast.shared.pk])
    cast.alice.refresh_from_db()
    staff_views.start(cast.aurora, member=cast.alice, reason=REASON, by=staff.mona)
    client = SignedIn(staff.mona)
    text = client.get("/p/aurora/").content.decode()
    assert "The Long Night" not in text
    assert ">Shared<" in text.replace("\n", "").replace(" ", "")
    assert client.get("/p/aurora/titles/shared/csv/viewing/").status_code == 404


def test_case_79_it_needs_the_right_a_reason_and_the_partners_own_member(
    cast: Cast,
    staff: Staff,
) -> None:
    with pytest.raises(staff_views.StaffViewError, match="may not"):
        staff_views.start(cast.aurora, member=None, reason=REASON, by=staff.dora)
    with pytest.raises(staff_views.StaffViewError, match="why"):
        staff_views.start(cast.aurora, member=None, reason=" ", by=staff.mona)
    with pytest.raises(staff_views.StaffViewError, match="no member"):
        staff_views.start(cast.aurora, member=cast.bob, reason=REASON, by=staff.mona)
    url = reverse("admin:partners_partner_view_as", args=[cast.aurora.pk])
    assert SignedIn(staff.dora).post(url, {"reason": REASON}).status_code == 403
    assert not StaffView.objects.exists()


def test_case_79_nobody_else_ends_or_uses_it(cast: Cast, staff: Staff, mona: SignedIn) -> None:
    view = StaffView.objects.get()
    other = SignedIn(staff.max)
    assert other.get("/p/aurora/").status_code == 404
    assert other.post(reverse("admin:partners_staffview_end", args=[view.pk])).status_code == 404
    assert mona.get("/p/aurora/").status_code == 200


def test_case_79_a_second_view_ends_the_first(cast: Cast, staff: Staff, mona: SignedIn) -> None:
    staff_views.start(cast.cirrus, member=None, reason=REASON, by=staff.mona)
    assert mona.get("/p/aurora/").status_code == 404
    assert mona.get("/p/cirrus/").status_code == 200


@pytest.mark.parametrize("lost", ["the role", "the partner"])
def test_case_79_a_view_ends_with_the_right_to_it(
    cast: Cast, staff: Staff, mona: SignedIn, lost: str
) -> None:
    assert mona.get("/p/aurora/").status_code == 200
    if lost == "the role":
        staff.mona.groups.clear()
    else:
        staff.mona.limit_partners = [cast.borealis.pk]
        staff.mona.save()
    assert SignedIn(User.objects.get(pk=staff.mona.pk)).get("/p/aurora/").status_code == 404
