"""What var/demo.json says of the sample platform: accounts, titles, bundles, the mailbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings

from engagement.models import Title
from engagement.roles import STAFF as STAFF_ROLE
from engagement.roles import acting_as
from partners.models import Entitlement, Partner
from portal.sample.accounts import sample_password, sample_tokens, totp_secrets
from portal.sample.catalogue import TITLES
from portal.sample.platform import PARTNERS, STAFF
from reports.models import Artefact


def demo_summary() -> dict[str, Any]:
    """The keys of DESIGN section 4 but `base_url`; those not built yet are left out.

    `partners` of a title are those who may open its page now.
    """
    with acting_as(STAFF_ROLE):
        return {
            "accounts": _accounts(),
            "titles": _titles(),
            "bundles": _bundles(),
            "mailbox": _from_project(settings.VAR / "mail"),
            "api_token": sample_tokens(),
        }


def _accounts() -> list[dict[str, Any]]:
    secrets = totp_secrets()

    def account(email: str, **about: str | None) -> dict[str, Any]:
        own = {"email": email, "password": sample_password(), "totp_secret": secrets.get(email)}
        return {**own, **about}

    staff = [account(s.email, kind="staff", partner=None, role=s.role) for s in STAFF]
    members = [
        account(m.email, kind="member", partner=p.slug, role=m.role)
        for p in PARTNERS
        for m in p.members
    ]
    return staff + members


def _titles() -> list[dict[str, Any]]:
    partners: dict[int, list[str]] = {}
    for partner in Partner.objects.filter(slug__in=[p.slug for p in PARTNERS]).order_by("slug"):
        live = Entitlement.objects.live(partner.pk, "web")
        for title_id in live.values_list("title_id", flat=True).distinct():
            partners.setdefault(title_id, []).append(partner.slug)
    return [
        {"slug": title.slug, "name": title.name_zh, "partners": partners.get(title.pk, [])}
        for title in Title.objects.filter(key__in=[t.key for t in TITLES]).order_by("key")
    ]


def _bundles() -> list[dict[str, Any]]:
    built = Artefact.objects.select_related("partner", "bundle__recipient__user")
    return [
        {
            "id": str(artefact.bundle_id),
            "partner": artefact.partner.slug,
            "recipient": artefact.bundle.recipient.user.email,
            "zip": _from_project(settings.STORAGE_ROOT / artefact.path)
            if settings.STORAGE_ROOT
            else artefact.path,
            "sha256": artefact.sha256,
        }
        for artefact in built.order_by("made_at")
    ]


def _from_project(path: Path) -> str:
    """Relative to the project's folder where it lies in there."""
    if path.is_relative_to(settings.BASE_DIR):
        return str(path.relative_to(settings.BASE_DIR))
    return str(path)
