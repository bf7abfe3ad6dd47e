"""Every page of the admin: who it answers, and that it needs no inline script or style."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, reverse

from partners.models import AuditEvent
from reports.models import Bundle
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff


def addresses(filled: dict[str, Any]) -> list[str]:
    """Every address under /admin/, with the rows of `filled` in it."""
    found = [reverse(f"admin:{n}") for n in ("index", "jsi18n")]
    found += [reverse("admin:app_list", args=[a]) for a in ("engagement", "partners", "reports")]
    for model, page in admin.site._registry.items():
        pk = filled[f"{model._meta.app_label}.{model._meta.model_name}"].pk
        for pattern in page.urls:
            assert isinstance(pattern, URLPattern)
            if pattern.name is None:  # the old address of the change page
                continue
            args = [pk] if "object_id" in str(pattern.pattern) else []
            found.append(reverse(f"admin:{pattern.name}", args=args))
    return found


def test_the_site_has_no_other_addresses_than_those_walked() -> None:
    known = {
        "index", "login", "logout", "password_change", "password_change_done", "autocomplete",
        "jsi18n", "view_on_site", "app_list", None,
    }  # fmt: skip
    assert {p.name for p in admin.site.urls[0] if isinstance(p, URLPattern)} == known
    assert sum(isinstance(p, URLResolver) for p in admin.site.urls[0]) == len(admin.site._registry)


def inline(response: HttpResponse) -> list[str]:
    """Scripts without a src, styles, and handlers: what the policy would block."""
    return re.findall(
        r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=[\"']|javascript:",
        response.content.decode(),
    )


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_page_answers_a_superuser_within_the_policy(
    staff: Staff, filled: dict[str, Any], language: str
) -> None:
    client = SignedIn(staff.root, language)
    for address in addresses(filled):
        response = client.get(address)
        expected = {200}
        if address.endswith(("/delete/", "/add/", "/role/")) or "invite" in address:
            expected = {200, 403}  # rows that nobody adds or deletes
        if address.endswith(("/propose/", "/end/")):
            expected = {302}  # done by POST alone
        assert response.status_code in expected, address
        assert inline(response) == [], address
        assert "script-src 'self'" in response["Content-Security-Policy"], address
        assert "unsafe" not in response["Content-Security-Policy"], address
        assert "no-store" in response["Cache-Control"], address
        assert b"<script>alert(1)" not in response.content
        assert b"<i>2099" not in response.content


def test_every_page_answers_each_group_by_its_permissions(
    staff: Staff, filled: dict[str, Any]
) -> None:
    for user in (staff.mona, staff.dora):
        client = SignedIn(user)
        for address in addresses(filled):
            allowed = (302,) if address.endswith(("/propose/", "/end/")) else (200,)  # POST alone
            assert client.get(address).status_code in {*allowed, 403, 404}, address
        assert client.get("/admin/").status_code == 200
    manager, data = SignedIn(staff.mona), SignedIn(staff.dora)
    assert manager.get("/admin/partners/grant/").status_code == 200
    assert manager.get("/admin/engagement/source/").status_code == 403
    assert data.get("/admin/partners/grant/").status_code == 403
    assert data.get("/admin/engagement/source/").status_code == 200


def test_every_page_sends_strangers_to_the_one_sign_in(client: Any, filled: dict[str, Any]) -> None:
    for address in addresses(filled):
        for method in (client.get, client.post):
            response = method(address)
            assert response.status_code == 302, address
            assert response["Location"].startswith("/admin/login/?next=/admin/"), address
    response = client.get("/admin/login/?next=/admin/partners/grant/")
    assert response["Location"] == "/account/login/?next=%2Fadmin%2Fpartners%2Fgrant%2F"
    elsewhere = client.get("/admin/login/?next=https://evil.example/")
    assert elsewhere["Location"] == "/account/login/?next=%2Fadmin%2F"
    assert client.post("/admin/login/", {"username": "a", "password": "b"}).status_code == 302


def test_every_page_sends_members_away(cast: Cast, filled: dict[str, Any]) -> None:
    client = SignedIn(cast.alice.user)
    for address in addresses(filled):
        for method in (client.get, client.post):
            response = method(address)
            assert response.status_code == 302, address
            assert response["Location"].startswith("/admin/login/?next=/admin/"), address
    assert client.get("/admin/login/?next=/admin/")["Location"] == "/"


def test_a_source_shows_its_rejects_escaped(staff: Staff, filled: dict[str, Any]) -> None:
    page = SignedIn(staff.dora).get(
        reverse("admin:engagement_source_change", args=[filled["engagement.source"].pk])
    )
    text = page.content.decode()
    assert "line 7: &lt;i&gt;2099&lt;/i&gt;" in text
    assert "1,234" in text
    assert "line 3: &lt;script&gt;" in text


READ_ONLY = (
    "engagement.ingest", "engagement.source", "engagement.release", "partners.entitlement",
    "partners.auditevent", "reports.schedule", "reports.bundle", "reports.delivery",
)  # fmt: skip


@pytest.mark.parametrize("label", READ_ONLY)
def test_what_programs_write_is_changed_by_no_superuser(
    staff: Staff, filled: dict[str, Any], label: str
) -> None:
    client, row = SignedIn(staff.root), filled[label]
    name = f"admin:{label.replace('.', '_')}"
    before = type(row).objects.filter(pk=row.pk).values().get()
    assert client.post(reverse(f"{name}_add"), {}).status_code == 403
    assert client.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
    assert client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    client.post(
        reverse(f"{name}_changelist"),
        {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"},
    )
    assert type(row).objects.filter(pk=row.pk).values().get() == before


def test_signing_out_is_a_post_and_leads_to_the_sign_in(staff: Staff) -> None:
    client = SignedIn(staff.mona)
    assert client.get("/admin/logout/").status_code == 405
    assert client.post("/admin/logout/")["Location"] == "/account/login/"
    assert client.get("/admin/").status_code == 302


def test_a_failed_bundle_is_tried_again_by_staff_alone(
    staff: Staff,
    filled: dict[str, Any],
) -> None:
    bundle = filled["reports.bundle"]
    form = {"action": "try_again", "_selected_action": [str(bundle.pk)]}
    address = reverse("admin:reports_bundle_changelist")
    staff.max.groups.get().permissions.remove(Permission.objects.get(codename="change_bundle"))
    SignedIn(staff.max).post(address, form)
    bundle.refresh_from_db()
    assert bundle.state == "failed"

    SignedIn(staff.dora).post(address, form)
    bundle.refresh_from_db()
    assert (bundle.state, bundle.problem) == ("queued", "")
    assert AuditEvent.objects.get(action="bundle.restarted").actor == staff.dora
    Bundle.objects.filter(pk=bundle.pk).update(state="done")
    SignedIn(staff.dora).post(address, form)
    bundle.refresh_from_db()
    assert bundle.state == "done"
