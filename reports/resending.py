"""Sending one report again, by a person: the same row, the same Message-ID, its rights anew.

A mail that may have arrived (`unknown`) is not sent again by itself. A person who has asked may
have it sent: under the same Message-ID, by which a mail program shows one message and not two.
"""

from __future__ import annotations

from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _

from engagement.scope import Refused
from partners.access import scope_for
from partners.audit import record
from partners.models import Membership, User
from reports import jobs
from reports.models import Bundle, Delivery, Job
from reports.plan import EXIT, covered
from reports.schedules import may_own, schedules_of

_AGAIN = """
UPDATE reports_delivery
SET state = 'queued',
    failure = '',
    problem = '',
    leases_lost = 0,
    bounced_at = NULL,
    sent_at = NULL,
    done_at = NULL,
    lease_until = NULL,
    due_at = clock_timestamp(),
    ring_at = clock_timestamp(),
    resent_at = clock_timestamp(),
    resent_by_id = %(by)s
WHERE id = %(id)s
  AND state IN ('failed', 'bounced', 'unknown', 'cancelled')
"""


class CannotResend(Exception):
    """Why it is not sent again, in words for whoever asked."""


@transaction.atomic
def resend_for(
    membership: Membership, bundle_id: UUID, *, request: HttpRequest | None = None
) -> None:
    """Send one again that the member asked for or whose schedule is theirs.

    Raises Refused for any other, CannotResend.
    """
    if not may_own(membership):
        raise Refused
    bundle = (
        Bundle.objects.filter(partner_id=membership.partner_id, pk=bundle_id)
        .filter(
            Q(recipient=membership, run__isnull=True)
            | Q(run__schedule__in=schedules_of(membership))
        )
        .first()
    )
    if bundle is None:
        raise Refused
    resend(bundle, by=membership.user, request=request)


@transaction.atomic
def resend(bundle: Bundle, *, by: User, request: HttpRequest | None = None) -> None:
    """Make or mail a bundle again that did not arrive. Raises CannotResend."""
    delivery = Delivery.objects.filter(bundle=bundle).first()
    was = delivery.state if delivery else bundle.state
    if delivery is None:
        if not jobs.restart(bundle.pk):
            raise CannotResend(_("There is nothing to send again."))
    else:
        _check(bundle)
        with connection.cursor() as cursor:
            cursor.execute(_AGAIN, {"id": delivery.pk, "by": by.pk})
            if cursor.rowcount != 1:
                raise CannotResend(_("There is nothing to send again."))
        jobs.ring(Delivery, delivery.pk)
    record(
        "bundle.resent",
        actor=by,
        partner=bundle.partner,
        target=bundle.pk,
        request=request,
        was=was,
        recipient=str(bundle.recipient.user_id),
    )


def _check(bundle: Bundle) -> None:
    """Raises CannotResend where the recipient may not have the file now; the worker asks again."""
    if bundle.state != Job.State.DONE or bundle.purged_at is not None:
        raise CannotResend(_("The file has been removed."))
    if not covered(bundle, scope_for(bundle.recipient, EXIT, delivered=True)):
        raise CannotResend(_("What is in it is not granted to the recipient any more."))
