"""Staff who are limited to some partners learn nothing of the others (cases 76 and 77)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from django.urls import reverse

from engagement.roles import STAFF, WEB, acting_as, become_staff
from partners.models import (
    AuditEvent,
    Consent,
    Grant,
    Holding,
    Invitation,
    Membership,
    Partner,
    User,
)
from reports.models import Bundle
from tests.cast import DAY, Cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff

NAMES = ("ZQB", "Borealis", "borealis", "bob@example.com", "Cirrus", "cirrus", "cleo@example.com")
"""What tells of partners that Lin, Aurora's manager, has nothing to do with."""


@pytest.fixture
def others(cast: Cast, staff: Staff, filled: dict[str, Any]) -> dict[str, Any]:
    """A row of Borealis' for each page that shows a partner's rows."""
    Consent.objects.all().delete()
    grant = cast.grants["foreign"]
    bundle = Bundle.objects.create(
        partner=cast.borealis, recipient=cast.bob, from_day=DAY, until=DAY.replace(day=8),
        language="en", state="failed",
    )  # fmt: skip
    return {
        "engagement.title": cast.foreign,
        "partners.partner": cast.borealis,
        "partners.membership": cast.bob,
        "partners.holding": Holding.objects.get(partner=cast.borealis),
        "partners.grant": grant,
        "partners.entitlement": grant.entitlements.get(),
        "partners.user": cast.bob.user,
        "partners.auditevent": AuditEvent.objects.filter(partner=cast.borealis).first(),
        "partners.invitation": Invitation.objects.create(
            email="zoe@borealis.example.com", partner=cast.borealis, role="viewer",
            token_sha256="1" * 64, made_by=staff.mona, expires_at=grant.valid_from,
        ),
        "partners.consent": Consent.objects.create(
            partner=cast.borealis, given_to=cast.aurora, title=cast.foreign, from_day=DAY,
            contract_reference="C-9", recorded_by=staff.mona,
        ),
        "reports.bundle": bundle,
    }  # fmt: skip


def pages(row: Any) -> Iterator[str]:
    """Every address of the admin that names one row."""
    name = f"{row._meta.app_label}_{row._meta.model_name}"
    for pattern in admin.site._registry[type(row)].urls:
        if pattern.name and "object_id" in str(pattern.pattern):
            yield pattern.name
    assert name


def test_lists_show_the_own_partners_rows_alone(
    cast: Cast, staff: Staff, others: dict[str, Any]
) -> None:
    """Case 77. Mona, who is not limited, finds the names on the same pages."""
    lin, mona = SignedIn(staff.lin), SignedIn(staff.mona)
    for label, row in others.items():
        address = reverse(f"admin:{label.replace('.', '_')}_changelist")
        everything, own = mona.get(address), lin.get(address)
        assert everything.status_code == own.status_code == 200, label
        link = reverse(f"admin:{label.replace('.', '_')}_change", args=[row.pk])
        assert link in everything.content.decode(), label
        text = own.content.decode()
        assert [name for name in NAMES if name in text] == [], label
        assert link not in text, label
    assert "aurora" in lin.get("/admin/partners/partner/").content.decode()
    assert "film" in lin.get("/admin/engagement/title/").content.decode()


def test_a_foreign_row_is_answered_as_one_that_does_not_exist(
    cast: Cast, staff: Staff, others: dict[str, Any]
) -> None:
    """Case 77: change page, history, delete-confirmation and steps, read and posted to."""
    lin = SignedIn(staff.lin)
    for label, row in others.items():
        made_up = 10**12 if isinstance(row.pk, int) else uuid4()
        before = type(row).objects.filter(pk=row.pk).values().get()
        for name in pages(row):
            for method in (lin.get, lin.post):
                answers = []
                for pk in (row.pk, made_up):
                    answer = method(reverse(f"admin:{name}", args=[pk]), {"post": "yes"})
                    said = " ".join(str(m) for m in lin.get("/admin/").context["messages"]).replace(
                        str(pk), "ID"
                    )
                    answers.append((answer.status_code, answer.get("Location"), said))
                assert answers[0] == answers[1], name
                assert answers[0][0] in (302, 403, 404), name
        assert type(row).objects.filter(pk=row.pk).values().get() == before, label


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("grant", "partner"), ("grant", "titles"), ("holding", "partner"), ("holding", "title"),
        ("consent", "given_to"), ("consent", "title"),
    ],
)  # fmt: skip
def test_autocomplete_offers_the_own_alone(
    cast: Cast, staff: Staff, model: str, field: str
) -> None:
    """Case 77: by an empty term and by the very name."""
    asked = f"/admin/autocomplete/?app_label=partners&model_name={model}&field_name={field}"
    for term in ("", "o"):
        everything = SignedIn(staff.mona).get(f"{asked}&term={term}").content.decode()
        own = SignedIn(staff.lin).get(f"{asked}&term={term}").content.decode()
        assert "orealis" in everything or "ZQB" in everything
        assert [name for name in NAMES if name in own] == []
    assert SignedIn(staff.otto).get(asked).status_code == 403  # who fills in no such form


def test_a_popup_offers_the_own_alone(cast: Cast, staff: Staff) -> None:
    popup = SignedIn(staff.lin).get("/admin/partners/partner/?_popup=1&_to_field=id")
    assert popup.status_code == 200
    assert [name for name in NAMES if name in popup.content.decode()] == []


def test_a_foreign_key_in_a_form_is_refused(cast: Cast, staff: Staff) -> None:
    """Case 76: the form offers Aurora; the post names Borealis, or Borealis' title."""
    form = {
        "contract_reference": "C-2", "families": ["viewing"], "territories": ["*"],
        "exits": ["web"], "valid_from_0": "2099-01-01", "valid_from_1": "00:00",
    }  # fmt: skip
    lin, address = SignedIn(staff.lin), reverse("admin:partners_grant_add")
    for partner, title in (
        (cast.borealis, cast.film),
        (cast.aurora, cast.foreign),
        (cast.borealis, cast.foreign),
    ):
        answer = lin.post(address, {**form, "partner": str(partner.pk), "titles": [title.pk]})
        assert answer.status_code == 200
        assert "ZQB" not in answer.content.decode()
    assert not Grant.objects.filter(contract_reference="C-2").exists()
    own = {**form, "partner": str(cast.aurora.pk), "titles": [cast.hidden.pk]}
    assert lin.post(address, own).status_code == 302
    assert Grant.objects.get(contract_reference="C-2").partner == cast.aurora

    narrowed = {"role": "analyst", "narrow_titles": "on", "only_titles": [cast.foreign.pk]}
    lin.post(reverse("admin:partners_membership_change", args=[cast.amy.pk]), narrowed)
    cast.amy.refresh_from_db()
    assert cast.amy.limit_titles is None


def test_an_action_reaches_the_own_alone(cast: Cast, staff: Staff) -> None:
    both = [str(cast.aurora.pk), str(cast.borealis.pk)]
    SignedIn(staff.lin).post(
        reverse("admin:partners_partner_changelist"),
        {"action": "suspend", "_selected_action": both, "select_across": "1"},
    )
    closed = Partner.objects.filter(suspended_at__isnull=False)
    assert [partner.slug for partner in closed] == ["aurora"]


def test_recent_actions_name_nothing_that_is_not_theirs_any_more(cast: Cast, staff: Staff) -> None:
    for partner in (cast.aurora, cast.borealis):
        LogEntry.objects.create(
            user=staff.lin, content_type=ContentType.objects.get_for_model(Partner),
            object_id=str(partner.pk), object_repr=partner.slug, action_flag=CHANGE,
            change_message="",
        )  # fmt: skip
    page = SignedIn(staff.lin).get("/admin/").content.decode()
    assert "aurora" in page
    assert "borealis" not in page


def test_what_speaks_of_every_partner_is_closed_to_limited_staff(
    cast: Cast, staff: Staff, filled: dict[str, Any]
) -> None:
    lin = SignedIn(staff.lin)
    for label in ("engagement.titlechange", "engagement.fanset", "partners.rolechange"):
        name = f"admin:{label.replace('.', '_')}"
        assert lin.get(reverse(f"{name}_changelist")).status_code == 403, label
        assert lin.get(reverse(f"{name}_change", args=[filled[label].pk])).status_code == 403
    assert lin.get(reverse("admin:partners_partner_add")).status_code == 403


def test_a_login_is_seen_but_not_changed_by_limited_staff(cast: Cast, staff: Staff) -> None:
    """To switch it off would close it for a partner that they cannot see."""
    Membership.objects.create(user=cast.amy.user, partner=cast.borealis, role="viewer")
    address = reverse("admin:partners_user_change", args=[cast.amy.user.pk])
    form = {"name": "X", "language": "en", "is_active": "on"}
    form |= {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    lin = SignedIn(staff.lin)
    page = lin.get(address).content.decode()
    assert "amy@example.com" in page
    assert "borealis" not in page
    assert lin.post(address, form).status_code == 403
    assert SignedIn(staff.mona).post(address, form).status_code == 302
    assert User.objects.get(pk=cast.amy.user.pk).name == "X"


# --- columns that are not shown ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "lookup"),
    [
        ("partners/user", "password__startswith=argon2"),
        ("partners/user", "password__regex=^argon2"),
        ("partners/user", "memberships__partner__slug=borealis"),
        ("partners/membership", "user__password__startswith=argon2"),
        ("partners/membership", "partner__grants__contract_reference__startswith=C"),
        ("partners/invitation", "token_sha256__startswith=0"),
        ("partners/auditevent", "detail__after__startswith=x"),
        ("partners/auditevent", "actor__password__startswith=a"),
        ("partners/grant", "made_by__password__startswith=a"),
        ("partners/grant", "partner__name_zh__startswith=Z"),
        ("engagement/title", "grants__partner__slug=borealis"),
        ("reports/bundle", "recipient__user__password__startswith=a"),
        ("reports/delivery", "bundle__partner__slug=borealis"),
    ],
)
@pytest.mark.parametrize("who", ["mona", "root"])
def test_a_list_is_filtered_by_nothing_but_what_it_offers(
    cast: Cast, staff: Staff, page: str, lookup: str, who: str
) -> None:
    """Case 77, and 7: what the list does not show is not asked for by the length of an answer."""
    client = SignedIn(getattr(staff, who))
    assert client.get(f"/admin/{page}/").status_code == 200
    assert client.get(f"/admin/{page}/?{lookup}").status_code == 400


def test_a_list_is_filtered_by_a_partner_that_is_typed_or_linked(cast: Cast, staff: Staff) -> None:
    mona = SignedIn(staff.mona)
    for query in ("partner__slug=borealis", f"partner__id__exact={cast.borealis.pk}"):
        page = mona.get(f"/admin/partners/membership/?{query}&role__exact=owner")
        assert [m.user.email for m in page.context["cl"].result_list] == ["bob@example.com"]
        text = page.content.decode()
        assert 'name="partner__slug" value="borealis"' in text
        assert '<input type="hidden" name="role__exact" value="owner">' in text
    everyone = mona.get("/admin/partners/membership/?partner__slug=")
    assert everyone.context["cl"].result_count == 5
    lin = SignedIn(staff.lin)
    page = lin.get(f"/admin/partners/membership/?partner__id__exact={cast.borealis.pk}")
    assert page.context["cl"].result_count == 0
    assert "borealis" not in page.content.decode()


# --- the second wall -----------------------------------------------------------------------------


def test_postgres_alone_keeps_limited_staff_to_their_partners(
    cast: Cast, staff: Staff, others: dict[str, Any]
) -> None:
    """Case 77 with Python's rules away; and the limit stays when the role is taken anew."""
    with acting_as(WEB), transaction.atomic():
        become_staff(staff.lin.pk, partners=staff.lin.limit_partners)
        with acting_as(STAFF):
            for label, row in others.items():
                if label == "partners.user":
                    continue  # whoever signs in is looked up by all; docs/staff.md
                assert not type(row).objects.filter(pk=row.pk).exists(), label
            assert {p.slug for p in Partner.objects.all()} == {"aurora"}
            with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
                Holding.objects.create(partner=cast.borealis, title=cast.film, territories=["*"])
    with acting_as(WEB), transaction.atomic():
        become_staff(staff.mona.pk, partners=None)
        for row in others.values():
            assert type(row).objects.filter(pk=row.pk).exists()


def test_a_limit_to_nobody_leaves_nothing(cast: Cast, staff: Staff) -> None:
    staff.lin.limit_partners = []
    staff.lin.save()
    page = SignedIn(staff.lin).get("/admin/partners/partner/")
    assert page.context["cl"].result_count == 0
    with acting_as(WEB), transaction.atomic():
        become_staff(staff.lin.pk, partners=[])
        assert not Partner.objects.exists()
        assert not Grant.objects.exists()


def test_every_table_of_partners_that_staff_reach_is_limited_in_postgres(db: None) -> None:
    """A new table with a partner_id that staff may read needs the policy `of_limited_staff`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relkind = 'r' AND a.attname = 'partner_id' AND NOT a.attisdropped
              AND (has_table_privilege('dailies_staff', c.oid, 'SELECT')
                   OR has_any_column_privilege('dailies_staff', c.oid, 'SELECT'))
              AND NOT EXISTS (
                  SELECT FROM pg_policy p
                  WHERE p.polrelid = c.oid AND p.polname = 'of_limited_staff'
                    AND NOT p.polpermissive
                    AND p.polqual IS NOT NULL AND p.polwithcheck IS NOT NULL)
            """
        )
        assert cursor.fetchall() == []
