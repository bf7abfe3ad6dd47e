"""The second wall around people, with Python out of the way.

A partner's role reads its own people and whoever did something in its name; of nobody does it
read what they sign in by, and it changes nobody.
"""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from engagement.roles import PARTNER, acting_as
from partners.audit import record
from partners.models import AccessRequest, Membership, StaffView, User, with_people
from tests.cast import Cast


def seen_by(partner_id: object) -> set[str]:
    with acting_as(PARTNER, partner_id=partner_id):  # type: ignore[arg-type]
        return set(User.objects.values_list("email", flat=True))


def staff() -> set[str]:
    """Who made and approved the grants of both."""
    return set(User.objects.filter(is_staff=True).values_list("email", flat=True))


def test_case_12_a_partners_role_reads_its_own_people_alone(cast: Cast) -> None:
    aurora = {m.user.email for m in (cast.alice, cast.amy, cast.victor)}
    assert seen_by(cast.aurora.pk) - staff() == aurora
    assert seen_by(cast.borealis.pk) - staff() == {cast.bob.user.email}
    assert seen_by(None) == set()


def test_case_79_whoever_did_something_in_its_name_is_known_to_it_alone(cast: Cast) -> None:
    new = User.objects.create_user("new@platform.example.com", is_staff=True)
    record("staff_view.started", actor=new, partner=cast.aurora, target="x")
    record("list.read", actor=cast.amy.user, partner=cast.aurora, target="team")
    cast.amy.delete()
    assert {cast.amy.user.email, new.email} <= seen_by(cast.aurora.pk)
    assert not {cast.amy.user.email, new.email} & seen_by(cast.borealis.pk)


def recorded(partner_id: object, actor_id: object) -> bool:
    """Whether a partner's role may write a record that somebody did something in its name."""
    try:
        with acting_as(PARTNER, partner_id=partner_id):  # type: ignore[arg-type]
            with connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO partners_auditevent (partner_id, actor_id, action, target, detail)"
                    " VALUES (%s, %s, 'list.read', 'x', '{}')",
                    [partner_id, actor_id],
                )
    except DatabaseError as error:
        if "row-level security" not in str(error):
            raise
        return False
    return True


def test_case_12_a_partners_role_reads_nobody_by_naming_them_in_a_record(cast: Cast) -> None:
    outsider = User.objects.create_user("outsider@platform.example.com", is_staff=True)
    before = seen_by(cast.aurora.pk)
    for stranger in (cast.bob.user, cast.cleo.user, outsider):
        assert not recorded(cast.aurora.pk, stranger.pk), stranger
    assert seen_by(cast.aurora.pk) == before


def test_a_partners_role_records_what_its_own_people_did(cast: Cast) -> None:
    """A member, one of the staff who look as the partner, and what no person did."""
    looker = User.objects.create_user("looker@platform.example.com", is_staff=True)
    StaffView.objects.create(partner=cast.aurora, staff=looker, reason="x")
    for actor in (cast.victor.user_id, looker.pk, None):
        assert recorded(cast.aurora.pk, actor)
    assert not recorded(cast.borealis.pk, looker.pk)
    cast.victor.delete()
    assert not recorded(cast.aurora.pk, cast.victor.user_id)


@pytest.mark.parametrize("column", ["password", "last_login", "is_superuser", "limit_partners"])
def test_case_73_what_people_sign_in_by_is_not_read(cast: Cast, column: str) -> None:
    with pytest.raises(DatabaseError), acting_as(PARTNER, partner_id=cast.aurora.pk):
        list(User.objects.filter(pk=cast.alice.user_id).values_list(column))


@pytest.mark.parametrize(
    "table",
    [
        "account_emailaddress", "account_emailconfirmation", "django_session", "partners_session",
        "mfa_authenticator", "partners_user_groups", "partners_externalidentity",
    ],
)  # fmt: skip
def test_case_73_sessions_addresses_and_factors_are_not_read(cast: Cast, table: str) -> None:
    with pytest.raises(DatabaseError), acting_as(PARTNER, partner_id=cast.aurora.pk):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}")


@pytest.mark.parametrize(
    "change",
    [{"email": "x@aurora.example"}, {"password": "x"}, {"is_active": False}, {"is_staff": True}],
)
def test_case_75_a_partners_role_changes_nobody(cast: Cast, change: dict[str, object]) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        with acting_as(PARTNER, partner_id=cast.aurora.pk):
            User.objects.filter(pk=cast.amy.user_id).update(**change)


def test_case_13_it_ends_no_session_of_anybody_elses(cast: Cast) -> None:
    """It may raise the epoch of its own people: the trigger on their memberships does."""
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        assert User.objects.filter(pk=cast.bob.user_id).update(session_epoch=9) == 0
        assert User.objects.filter(pk=cast.amy.user_id).update(session_epoch=9) == 1


def test_case_71_the_sessions_of_whom_an_owner_takes_out_end(cast: Cast) -> None:
    before = User.objects.get(pk=cast.amy.user_id).session_epoch
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        Membership.objects.filter(pk=cast.amy.pk).update(role="viewer")
    assert User.objects.get(pk=cast.amy.user_id).session_epoch == before + 1
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM partners_membership WHERE id = %s", [cast.amy.pk])
    assert User.objects.get(pk=cast.amy.user_id).session_epoch == before + 2


def test_what_somebody_asked_for_stays_listed_when_they_have_left(cast: Cast) -> None:
    """The join to a person who may not be read would leave the row out."""
    AccessRequest.objects.create(
        partner=cast.aurora, title=cast.shared, families=["viewing"], reason="x",
        asked_by=cast.amy.user,
    )  # fmt: skip
    record("access_request.made", actor=cast.amy.user, partner=cast.aurora, target="x")
    cast.amy.delete()
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        [asked] = with_people(AccessRequest.objects.all(), "asked_by")
        assert asked.asked_by.email == cast.amy.user.email
