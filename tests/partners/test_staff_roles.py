"""What each role of staff may do (P12), and that nobody gets beyond it (cases 75 and 76)."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from django.http import HttpResponse
from django.urls import reverse

from engagement.roles import WEB, acting_as, become_staff
from partners import roles
from partners.models import AuditEvent, Grant, Holding, RoleChange, User
from partners.roles import Role
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff

# model: what a partner manager, data operations, an auditor and an administrator may do:
# view, add, change, delete, as its own page offers them for one row. Steps are tried below.
MAY = {
    "auth.group": ("", "", "v", "v"),
    "engagement.fanset": ("v", "vac", "v", "vac"),
    "engagement.ingest": ("", "v", "v", "v"),
    "engagement.release": ("", "v", "v", "v"),
    "engagement.source": ("", "v", "v", "v"),
    "engagement.tag": ("", "v", "v", "v"),
    "engagement.title": ("v", "vc", "v", "vc"),
    "engagement.titlechange": ("v", "v", "v", "v"),
    "partners.accessrequest": ("vc", "", "v", "vc"),
    "partners.auditevent": ("v", "", "v", "v"),
    "partners.claimeddomain": ("vacd", "", "v", "vacd"),
    "partners.consent": ("vac", "v", "v", "vac"),
    "partners.credential": ("v", "", "v", "v"),
    "partners.entitlement": ("v", "", "v", "v"),
    "partners.grant": ("va", "", "v", "va"),  # changed by its maker alone, while proposed
    "partners.grantbatch": ("va", "", "v", "va"),
    "partners.holding": ("vacd", "v", "v", "vacd"),
    "partners.identityprovider": ("vacd", "", "v", "vacd"),
    "partners.invitation": ("vd", "", "v", "vd"),
    "partners.membership": ("vcd", "", "v", "vcd"),
    "partners.partner": ("vac", "v", "v", "vac"),
    "partners.rolechange": ("", "", "v", "v"),
    "partners.staffview": ("v", "", "v", "v"),
    "partners.user": ("vc", "", "v", "vc"),
    "reports.bundle": ("v", "v", "v", "v"),
    "reports.delivery": ("v", "v", "v", "v"),
    "reports.notice": ("v", "v", "v", "v"),
    "reports.schedule": ("v", "v", "v", "v"),
}


def by_role(staff: Staff) -> list[User]:
    return [staff.mona, staff.dora, staff.otto, staff.ada]


@pytest.mark.parametrize("label", sorted(MAY))
def test_every_page_lets_each_role_do_what_is_written_here(
    cast: Cast, staff: Staff, filled: dict[str, Any], label: str
) -> None:
    """P12: every page of a model, read and posted to, as each role."""
    row, name = filled[label], f"admin:{label.replace('.', '_')}"
    pages = {
        "list": reverse(f"{name}_changelist"),
        "history": reverse(f"{name}_history", args=[row.pk]),
        "a": reverse(f"{name}_add"),
        "c": reverse(f"{name}_change", args=[row.pk]),
        "d": reverse(f"{name}_delete", args=[row.pk]),
    }
    before = type(row).objects.filter(pk=row.pk).values().get()
    for user, may in zip(by_role(staff), MAY[label], strict=True):
        client = SignedIn(user)
        seen = 200 if may else 403
        assert client.get(pages["list"]).status_code == seen, user
        assert client.get(pages["history"]).status_code == seen, user
        assert client.get(pages["c"]).status_code in ({200} if may else {403, 404}), user
        for step in "ad":
            assert client.get(pages[step]).status_code == (200 if step in may else 403), user
        for step in set("acd") - set(may):
            answer = client.post(pages[step], {"post": "yes"})
            assert answer.status_code == 403, (user, step)
        assert type(row).objects.filter(pk=row.pk).values().get() == before


def test_every_page_of_the_site_stands_in_the_table() -> None:
    assert {model._meta.label_lower for model in admin.site._registry} == set(MAY)


# step: whether each role may take it; a step on a row that they may not see is a 404
STEPS = {
    "partners_accessrequest_decline": (200, 404, 403, 200),
    "partners_claimeddomain_verify": (200, 404, 403, 200),
    "partners_grant_approve": (200, 404, 403, 200),
    "partners_grant_revoke": (200, 404, 403, 200),
    "partners_grant_expiry": (200, 404, 403, 200),
    "partners_grant_narrow": (200, 404, 403, 200),
    "partners_grantbatch_approve": (200, 404, 403, 200),
    "partners_partner_view_as": (200, 403, 403, 200),
    "partners_partner_invite": (200, 403, 403, 200),
    "engagement_titlechange_decide": (200, 200, 403, 200),
    "partners_user_role": (403, 403, 403, 200),
    "partners_rolechange_decide": (403, 403, 403, 200),
}


@pytest.mark.parametrize("name", sorted(STEPS))
def test_every_step_is_open_to_the_roles_written_here(
    cast: Cast, staff: Staff, filled: dict[str, Any], name: str
) -> None:
    label = ".".join(name.split("_")[:2])
    row = staff.dora if name == "partners_user_role" else filled[label]
    address = reverse(f"admin:{name}", args=[row.pk])
    before = type(row).objects.filter(pk=row.pk).values().get()
    told = AuditEvent.objects.count()
    for user, status in zip(by_role(staff), STEPS[name], strict=True):
        client = SignedIn(user)
        assert client.get(address).status_code == status, user
        if status != 200:
            assert client.post(address, {"accept": "1"}).status_code == status, user
    after = type(row).objects.filter(pk=row.pk).values().get()
    assert {**after, "last_login": None} == {**before, "last_login": None}
    assert AuditEvent.objects.count() == told


def test_what_a_later_migration_gives_a_role_administrators_and_auditors_get_too(
    staff: Staff,
) -> None:
    held = Permission.objects.get(codename="view_source")
    acts = Permission.objects.get(codename="change_tag")
    for name in ("Auditors", "Administrators"):
        Group.objects.get(name=name).permissions.remove(held, acts)
    Group.objects.get(name="Partner managers").permissions.add(held, acts)
    may = {
        name: set(Group.objects.get(name=name).permissions.all())
        for name in ("Auditors", "Administrators")
    }
    assert {held, acts} <= may["Administrators"]
    assert may["Auditors"] & {held, acts} == {held}


# --- case 75: nobody gives themselves more -----------------------------------------------------


def promotion(user: User) -> dict[str, Any]:
    return {
        "email": "evil@example.com",
        "name": user.name,
        "language": user.language,
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
        "limit_partners": "",
        "role": Role.ADMINISTRATOR,
        "groups": [g.pk for g in Group.objects.all()],
        "user_permissions": [p.pk for p in Permission.objects.all()],
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "0",
        "memberships-0-role": "owner",
        "password": "x",
    }


def rights(user: User) -> tuple[Any, ...]:
    fresh = User.objects.get(pk=user.pk)
    return (
        fresh.email, fresh.is_staff, fresh.is_superuser, fresh.password, fresh.limit_partners,
        set(fresh.groups.all()), set(fresh.user_permissions.all()), fresh.memberships.count(),
    )  # fmt: skip


@pytest.mark.parametrize("who", ["mona", "lin", "dora", "otto", "ada", "root"])
def test_no_form_gives_rights_to_anybody(cast: Cast, staff: Staff, who: str) -> None:
    """Case 75: with every permission on users and groups there is."""
    actor: User = getattr(staff, who)
    actor.user_permissions.set(
        Permission.objects.filter(content_type__app_label="auth")
        | Permission.objects.filter(content_type__model="user")
    )
    client = SignedIn(actor)
    for user in (actor, staff.dora, staff.abel, cast.alice.user, staff.root):
        before = rights(user)
        client.post(reverse("admin:partners_user_change", args=[user.pk]), promotion(user))
        assert rights(user) == before, user
    group = Group.objects.get(name="Partner managers")
    held = group.permissions.count()
    form = {"name": "x", "permissions": [1, 2]}
    for address in (
        reverse("admin:auth_group_change", args=[group.pk]),
        reverse("admin:auth_group_delete", args=[group.pk]),
        reverse("admin:auth_group_add"),
    ):
        assert client.post(address, form).status_code == 403
    group.refresh_from_db()
    assert (group.name, group.permissions.count()) == ("Partner managers", held)
    assert not Group.objects.filter(name="x").exists()


def give(by: User, user: User, role: str, **fields: Any) -> HttpResponse:
    address = reverse("admin:partners_user_role", args=[user.pk])
    return SignedIn(by).post(address, {"role": role, **fields})


def test_an_administrator_gives_a_role_and_a_limit_and_it_is_recorded(
    cast: Cast, staff: Staff
) -> None:
    fields = {"narrow": "on", "partners": [str(cast.aurora.pk)]}
    assert give(staff.ada, staff.dora, Role.PARTNER_MANAGER, **fields).status_code == 302
    dora = User.objects.get(pk=staff.dora.pk)
    assert (roles.role_of(dora), dora.limit_partners) == (Role.PARTNER_MANAGER, [cast.aurora.pk])
    told = AuditEvent.objects.get(action="role.changed")
    assert (told.actor, told.target, told.detail) == (
        staff.ada,
        dora.email,
        {
            "before": {"role": "Data operations", "partners": None},
            "after": {"role": "Partner managers", "partners": [str(cast.aurora.pk)]},
        },
    )


def test_without_a_role_a_person_is_not_staff_any_more(staff: Staff) -> None:
    client = SignedIn(staff.dora)
    assert client.get("/admin/").status_code == 200
    assert give(staff.ada, staff.dora, "").status_code == 302
    assert client.get("/admin/").status_code == 302
    dora = User.objects.get(pk=staff.dora.pk)
    assert (dora.is_staff, roles.role_of(dora)) == (False, None)


@pytest.mark.parametrize(
    ("by", "to", "role"),
    [
        ("ada", "ada", Role.DATA_OPERATIONS),  # themselves
        ("ada", "root", Role.DATA_OPERATIONS),  # a superuser
        ("ada", "alice", Role.DATA_OPERATIONS),  # somebody who is not staff
        ("mona", "max", Role.DATA_OPERATIONS),  # no administrator
        ("mona", "mona", Role.ADMINISTRATOR),
    ],
)
def test_a_role_is_given_by_an_administrator_to_other_staff_alone(
    cast: Cast, staff: Staff, by: str, to: str, role: Role
) -> None:
    """Case 75, at the page and at the function that a shell or another page would call."""
    user = cast.alice.user if to == "alice" else getattr(staff, to)
    actor, before = getattr(staff, by), rights(user)
    assert give(actor, user, role).status_code in (200, 403)
    with pytest.raises(roles.RoleError):
        roles.give(user, role, partners=None, by=actor)
    assert rights(user) == before


def test_a_limited_administrator_gives_no_more_than_they_have(cast: Cast, staff: Staff) -> None:
    staff.ada.limit_partners = [cast.aurora.pk]
    for limit in (None, [cast.borealis.pk], [cast.aurora.pk, cast.borealis.pk]):
        with pytest.raises(roles.RoleError, match="more than they have"):
            roles.give(staff.dora, Role.PARTNER_MANAGER, partners=limit, by=staff.ada)
    roles.give(staff.dora, Role.PARTNER_MANAGER, partners=[cast.aurora.pk], by=staff.ada)


def test_an_administrator_takes_two_people(staff: Staff) -> None:
    assert give(staff.ada, staff.dora, Role.ADMINISTRATOR).status_code == 302
    change = RoleChange.objects.get()
    address = reverse("admin:partners_rolechange_decide", args=[change.pk])
    assert roles.role_of(staff.dora) is Role.DATA_OPERATIONS

    SignedIn(staff.ada).post(address, {"accept": "1"})  # who proposed it
    SignedIn(staff.dora).post(address, {"accept": "1"})  # who it is about
    SignedIn(staff.mona).post(address, {"accept": "1"})  # no administrator
    assert roles.role_of(staff.dora) is Role.DATA_OPERATIONS
    assert not AuditEvent.objects.filter(action="role.changed").exists()

    SignedIn(staff.abel).post(address, {"accept": "1"})
    assert roles.role_of(staff.dora) is Role.ADMINISTRATOR
    change.refresh_from_db()
    assert (change.made_by, change.decided_by, change.accepted) == (staff.ada, staff.abel, True)
    told = AuditEvent.objects.filter(action__startswith="role.").order_by("pk")
    assert [(e.action, e.actor) for e in told] == [
        ("role.proposed", staff.ada),
        ("role.changed", staff.abel),
    ]


def test_a_refused_administrator_stays_what_they_are(staff: Staff) -> None:
    give(staff.ada, staff.dora, Role.ADMINISTRATOR)
    address = reverse("admin:partners_rolechange_decide", args=[RoleChange.objects.get().pk])
    SignedIn(staff.abel).post(address, {"refuse": "1"})
    SignedIn(staff.abel).post(address, {"accept": "1"})
    assert roles.role_of(staff.dora) is Role.DATA_OPERATIONS


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE partners_user SET is_superuser = true WHERE id = %(self)s",
        "UPDATE partners_user SET is_superuser = true WHERE id = %(friend)s",
        "UPDATE partners_user SET is_staff = false WHERE id = %(self)s",
        "UPDATE partners_user SET limit_partners = '{}' WHERE id = %(self)s",
        "INSERT INTO partners_user_groups (user_id, group_id)"
        " SELECT %(self)s, id FROM auth_group WHERE name = 'Auditors'",
        "INSERT INTO partners_user_groups (user_id, group_id)"
        " SELECT %(friend)s, id FROM auth_group WHERE name = 'Administrators'",
        "INSERT INTO partners_user_user_permissions (user_id, permission_id)"
        " SELECT %(friend)s, id FROM auth_permission",
        "UPDATE auth_group SET name = 'Administrators' WHERE name = 'Auditors'",
        "DELETE FROM auth_group_permissions",
        "INSERT INTO auth_group_permissions (group_id, permission_id)"
        " SELECT g.id, p.id FROM auth_group AS g, auth_permission AS p",
    ],
)
def test_postgres_alone_refuses_a_promotion(staff: Staff, sql: str) -> None:
    """Case 75 with Python's rules away: the staff's role, for a request of Mona's."""
    people = {"self": staff.mona.pk, "friend": staff.dora.pk}
    before = rights(staff.mona), rights(staff.dora)
    with pytest.raises(ProgrammingError, match=r"permission denied|two people|rights|superuser"):
        run_as_staff(staff.mona, sql, people)
    assert (rights(staff.mona), rights(staff.dora)) == before
    free = "UPDATE partners_user SET name = 'Mona M.' WHERE id = %(self)s"
    run_as_staff(staff.mona, free, people)  # the same person may do what is no right


def run_as_staff(user: User, sql: str, values: dict[str, Any]) -> None:
    with acting_as(WEB), transaction.atomic(), connection.cursor() as cursor:
        become_staff(user.pk, partners=user.limit_partners)
        cursor.execute(sql, values)


# --- case 76: forged posts -----------------------------------------------------------------------


def test_no_list_is_edited_in_place(cast: Cast, staff: Staff, filled: dict[str, Any]) -> None:
    """Case 76: Django took rows by a list's edit form without the right to add (CVE-2026-4292)."""
    client = SignedIn(staff.root)
    for model, page in admin.site._registry.items():
        assert page.list_editable == ()
        label = model._meta.label_lower
        address = reverse(f"admin:{label.replace('.', '_')}_changelist")
        before = list(model._default_manager.order_by("pk").values())
        answer = client.post(
            address,
            {"_save": "1", "form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "1",
             "form-0-id": str(filled[label].pk), "form-0-name": "evil", "form-1-name": "evil"},
        )  # fmt: skip
        assert answer.status_code in (200, 302), label
        assert list(model._default_manager.order_by("pk").values()) == before, label


@pytest.mark.parametrize("who", ["dora", "root"])
def test_inlines_that_only_show_take_no_rows(cast: Cast, staff: Staff, who: str) -> None:
    """Case 76: a row added by an inline that offers none, and one moved by its key."""
    held = list(Holding.objects.order_by("pk").values())
    foreign = Holding.objects.get(partner=cast.borealis)
    form = {
        "slug": "film", "holdings-TOTAL_FORMS": "2", "holdings-INITIAL_FORMS": "1",
        "holdings-0-id": str(foreign.pk), "holdings-0-title": str(cast.film.pk),
        "holdings-0-partner": str(cast.aurora.pk), "holdings-0-DELETE": "on",
        "holdings-1-title": str(cast.film.pk), "holdings-1-partner": str(cast.borealis.pk),
        "holdings-1-territories": ["*"],
    }  # fmt: skip
    SignedIn(getattr(staff, who)).post(
        reverse("admin:engagement_title_change", args=[cast.film.pk]), form
    )
    assert list(Holding.objects.order_by("pk").values()) == held


@pytest.mark.parametrize("who", ["dora", "otto"])
def test_an_action_needs_its_permission(
    cast: Cast, staff: Staff, filled: dict[str, Any], who: str
) -> None:
    """Case 76: an action that the list does not offer is not run when it is posted."""
    client = SignedIn(getattr(staff, who))
    for label, action in (
        ("partners.holding", "delete_selected"),
        ("partners.partner", "suspend"),
        ("partners.membership", "delete_selected"),
        ("reports.delivery", "delete_selected"),
    ):
        row = filled[label]
        before = type(row).objects.filter(pk=row.pk).values().get()
        client.post(
            reverse(f"admin:{label.replace('.', '_')}_changelist"),
            {"action": action, "_selected_action": [str(row.pk)], "post": "yes"},
        )
        assert type(row).objects.filter(pk=row.pk).values().get() == before, label


def test_a_popup_names_no_other_field_than_the_key(cast: Cast, staff: Staff) -> None:
    """Case 76: `_to_field` would write any column into the page (CVE-2019-19118's neighbour)."""
    client = SignedIn(staff.root)
    for field in ("password", "email", "is_superuser"):
        answer = client.get(f"/admin/partners/user/?_popup=1&_to_field={field}")
        assert answer.status_code == 400, field
    assert client.get("/admin/partners/user/?_popup=1&_to_field=id").status_code == 200


def test_a_grants_parts_that_are_not_on_its_form_are_not_taken(cast: Cast, staff: Staff) -> None:
    """Case 18, of the admin's forms: who made and who approved it come from no form."""
    form = {
        "partner": str(cast.aurora.pk), "contract_reference": "C-2", "titles": [cast.hidden.pk],
        "families": ["viewing"], "territories": ["*"], "exits": ["web"],
        "valid_from_0": "2099-01-01", "valid_from_1": "00:00", "state": "approved",
        "made_by": str(staff.max.pk), "approved_by": str(staff.max.pk),
        "approved_at_0": "2026-01-01", "approved_at_1": "00:00",
    }  # fmt: skip
    SignedIn(staff.mona).post(reverse("admin:partners_grant_add"), form)
    made = Grant.objects.get(contract_reference="C-2")
    assert (made.state, made.made_by, made.approved_by) == ("proposed", staff.mona, None)
