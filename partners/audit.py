"""Writing the audit trail: one record in the transaction of what it records.

ACTIONS is the list of everything that is recorded; docs/audit.md says how the trail is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from partners.models import AuditEvent, Partner, User

ACTIONS: dict[str, str | Promise] = {
    # --- reading ---
    "numbers.read": _("read numbers"),
    "list.read": _("read a list"),
    "export.csv": _("exported a CSV file"),
    "bundle.asked": _("asked for a bundle"),
    "bundle.downloaded": _("downloaded a bundle"),
    "bundle.cut": _("a download ended early"),
    "bundle.mailed": _("mailed that a bundle is ready"),
    "mail.failed": _("a mail did not arrive, or may not have"),
    "bundle.purged": _("a bundle's file was removed"),
    "bundle.restarted": _("queued a failed bundle again"),
    "bundle.cancelled": _("cancelled a bundle"),
    "bundle.resent": _("sent the mail of a bundle again"),
    "mail.bounced": _("a mail came back"),
    "report_password.shown": _("looked at the password of their reports"),
    "report_password.renewed": _("took a new password for their reports"),
    "schedule.made": _("made a schedule"),
    "schedule.changed": _("changed a schedule"),
    "schedule.paused": _("paused a schedule"),
    "schedule.resumed": _("resumed a schedule"),
    "schedule.sent_now": _("had a report sent at once"),
    "schedule.deleted": _("deleted a schedule"),
    "schedule.left": _("took themselves off a schedule's recipients"),
    "report_failure.mailed": _("mailed that a report did not arrive"),
    # --- grants and what they rest on ---
    "grant.made": _("proposed a grant"),
    "grant.proposed": _("proposed a grant of the sample"),
    "grant.changed": _("changed a proposed grant"),
    "grant.approved": _("approved a grant"),
    "grant.revoked": _("revoked a grant"),
    "grant.expiry_set": _("set the end of a grant"),
    "grant.refreshed": _("a grant came to open other titles"),
    "grant.narrowed": _("narrowed a grant"),
    "grant.reminded": _("reminded of the end of a grant"),
    "grant.removed": _("removed a proposed grant"),
    "holding.added": _("added a holding"),
    "holding.changed": _("changed a holding"),
    "holding.removed": _("removed a holding"),
    "consent.added": _("added a consent"),
    "consent.approved": _("approved a consent"),
    "consent.changed": _("changed a consent"),
    "consent.removed": _("removed a consent"),
    "fan_set.added": _("added a fan set"),
    "fan_set.changed": _("changed a fan set"),
    "fan_set.removed": _("removed a fan set"),
    "fan_set.version_added": _("added a version of a fan set"),
    "title.added": _("added a title"),
    "title.changed": _("changed a title"),
    "title.removed": _("removed a title"),
    "title_change.accepted": _("accepted a title's new parent or kind"),
    "title_change.refused": _("refused a title's new parent or kind"),
    "access_request.made": _("asked for access"),
    "access_request.withdrawn": _("withdrew a request for access"),
    "access_request.declined": _("declined a request for access"),
    "access_request.proposed": _("proposed a grant for a request for access"),
    "access_request.granted": _("a request for access was granted"),
    "access_request.waiting": _("a request for access waits again"),
    "access_request.mailed": _("mailed the state of a request for access"),
    "grant_batch.made": _("proposed grants by a file"),
    "grant_batch.approved": _("approved the grants of a file"),
    # --- staff who look as a partner does ---
    "staff_view.started": _("began to view as the partner"),
    "staff_view.page": _("viewed a page as the partner"),
    "staff_view.ended": _("ended viewing as the partner"),
    # --- people ---
    "invitation.sent": _("sent an invitation"),
    "invitation.accepted": _("accepted an invitation"),
    "invitation.removed": _("withdrew an invitation"),
    "membership.added": _("added a member"),
    "membership.changed": _("changed a member's role or limit"),
    "membership.removed": _("removed a member"),
    "credential.made": _("made a credential"),
    "credential.rotated": _("replaced a credential"),
    "credential.revoked": _("revoked a credential"),
    "credential.refused": _("a token was refused"),
    "partner.added": _("added a partner"),
    "partner.changed": _("changed a partner"),
    "partner.removed": _("removed a partner"),
    "partner.suspended": _("suspended the partner"),
    "partner.resumed": _("ended the partner's suspension"),
    "user.added": _("added a person"),
    "user.changed": _("changed a person"),
    "user.removed": _("removed a person"),
    "role.changed": _("gave or took a role of staff"),
    "role.proposed": _("proposed an administrator"),
    "role.refused": _("refused a proposed administrator"),
    "group.added": _("added a group of staff"),
    "group.changed": _("changed a group of staff"),
    "group.removed": _("removed a group of staff"),
    # --- signing in ---
    "sign_in": _("signed in"),
    "sign_in.failed": _("a sign-in failed"),
    "sign_out": _("signed out"),
    "password.changed": _("set a new password"),
    "session.ended": _("ended sessions of their own"),
    "access.ended": _("ended a person's sessions and credentials"),
    "second_factor.changed": _("changed their second factors"),
    "second_factor.reset": _("removed the second factors of somebody who lost theirs"),
    "recovery_code.used": _("used up a recovery code"),
    "single_sign_on.bound": _("was bound to a subject of the organisation's sign-in"),
    "single_sign_on.refused": _("a sign-in through the organisation was refused"),
    "identity_provider.added": _("set up an organisation's sign-in"),
    "identity_provider.changed": _("changed an organisation's sign-in"),
    "identity_provider.removed": _("removed an organisation's sign-in"),
    "claimed_domain.added": _("entered a domain as an organisation's"),
    "claimed_domain.verified": _("verified a domain as an organisation's"),
    "claimed_domain.removed": _("removed an organisation's domain"),
    # --- the trail itself ---
    "audit.restored": _("the database was restored from a backup"),
}
"""Every action, and what it means. A new one is added here before it can be recorded."""

SHOWN_TO_PARTNERS = frozenset(
    {
        "numbers.read",
        "list.read",
        "export.csv",
        "bundle.asked",
        "bundle.downloaded",
        "bundle.cut",
        "bundle.mailed",
        "mail.failed",
        "bundle.purged",
        "bundle.cancelled",
        "bundle.resent",
        "mail.bounced",
        "report_password.shown",
        "report_password.renewed",
        "schedule.made",
        "schedule.changed",
        "schedule.paused",
        "schedule.resumed",
        "schedule.sent_now",
        "schedule.deleted",
        "schedule.left",
        "report_failure.mailed",
        "grant.approved",
        "grant.revoked",
        "grant.expiry_set",
        "grant.narrowed",
        "grant.reminded",
        "access_request.made",
        "access_request.withdrawn",
        "access_request.declined",
        "access_request.proposed",
        "access_request.granted",
        "access_request.waiting",
        "access_request.mailed",
        "staff_view.started",
        "staff_view.page",
        "staff_view.ended",
        "invitation.sent",
        "invitation.accepted",
        "invitation.removed",
        "membership.added",
        "membership.changed",
        "membership.removed",
        "credential.made",
        "credential.rotated",
        "credential.revoked",
        "credential.refused",
        "partner.suspended",
        "partner.resumed",
        "sign_in",
        "sign_in.failed",
        "sign_out",
        "password.changed",
        "session.ended",
        "access.ended",
        "second_factor.changed",
        "second_factor.reset",
        "recovery_code.used",
        "single_sign_on.bound",
        "single_sign_on.refused",
        "identity_provider.added",
        "identity_provider.changed",
        "identity_provider.removed",
        "claimed_domain.verified",
        "claimed_domain.removed",
    }
)
"""What an owner reads of the own organisation. The rest (a grant that is only proposed, a
holding, a group of staff) is the platform's own business.
"""

TAKES_AWAY = frozenset(
    {
        "grant.revoked",
        "grant.narrowed",
        "grant.expiry_set",
        "grant.refreshed",
        "grant.removed",
        "partner.suspended",
        "partner.changed",
        "membership.removed",
        "membership.changed",
        "user.changed",
        "user.removed",
        "role.changed",
        "role.refused",
        "holding.changed",
        "holding.removed",
        "consent.changed",
        "consent.removed",
        "title_change.accepted",
        "invitation.sent",
        "invitation.accepted",
        "invitation.removed",
        "group.changed",
        "group.removed",
        "credential.revoked",
        "credential.rotated",
        "access.ended",
        "password.changed",
        "second_factor.changed",
        "second_factor.reset",
        "recovery_code.used",
        "identity_provider.added",
        "identity_provider.changed",
        "identity_provider.removed",
        "claimed_domain.removed",
    }
)
"""What may take a right or a way in away. The anchor holds these, and partners/taken_again.py
knows how each is done again after a restore. Sessions are not among them: a restore ends all.
"""


class Unrecorded(Exception):
    """The record cannot be written: what it was to record must not happen."""


def record(
    action: str,
    *,
    actor: User | None,
    partner: Partner | None = None,
    target: object = "",
    request: HttpRequest | None = None,
    **detail: Any,
) -> None:
    """Add one record. `detail` holds no metric values and no secrets.

    What a program did by a token says which, by its first characters. Raises ValueError for an
    action that is not on the list, Unrecorded where Postgres refuses.
    """
    record_for_each([partner], action, actor=actor, target=target, request=request, **detail)


def record_for_each(
    partners: Iterable[Partner | None],
    action: str,
    *,
    actor: User | None,
    target: object = "",
    request: HttpRequest | None = None,
    **detail: Any,
) -> None:
    """The same as a record of each partner, all or none. Raises as `record` does."""
    if action not in ACTIONS:
        raise ValueError(f"{action!r} is not on the list of what is recorded")
    credential = getattr(request, "credential", None)
    if credential is not None:
        detail["credential"] = credential.prefix
    try:
        AuditEvent.objects.bulk_create(
            AuditEvent(
                action=action,
                actor=actor,
                partner=partner,
                target=str(target)[:300],
                detail=detail,
                ip=request.META.get("REMOTE_ADDR") or None if request else None,
            )
            for partner in partners
        )
    except DatabaseError as error:
        raise Unrecorded from error
