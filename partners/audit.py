"""Writing the audit trail: one record in the transaction of what it records."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from partners.models import AuditEvent, Partner, User


def record(
    action: str,
    *,
    actor: User | None,
    partner: Partner | None = None,
    target: object = "",
    request: HttpRequest | None = None,
    **detail: Any,
) -> None:
    """Add one record. `detail` holds no metric values and no secrets."""
    AuditEvent.objects.create(
        action=action,
        actor=actor,
        partner=partner,
        target=str(target)[:300],
        detail=detail,
        ip=request.META.get("REMOTE_ADDR") or None if request else None,
    )
