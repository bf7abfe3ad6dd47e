"""A consent comes into force by a second person, and ends by one.

It lets numbers of one partner's title into what another reads, so nobody opens it alone.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.translation import gettext as _

from engagement.models import FanSet
from partners.audit import record
from partners.models import Consent, User


class ConsentError(Exception):
    """A step that a consent's rules forbid, in words for the person who tried it."""


@transaction.atomic
def approve(consent: Consent, *, by: User, request: HttpRequest | None = None) -> None:
    """The second person's yes. Raises ConsentError for who recorded it or may not approve, and
    where it is approved already.
    """
    consent = Consent.objects.select_for_update(of=("self",)).get(pk=consent.pk)
    if consent.approved_by_id is not None:
        raise ConsentError(_("This consent is approved already."))
    if consent.recorded_by_id == by.pk:
        raise ConsentError(_("A consent is approved by somebody else than who recorded it."))
    if not may_approve(by):
        raise ConsentError(_("You may not approve consents."))
    Consent.objects.filter(pk=consent.pk).update(approved_by=by, approved_at=Now())
    record(
        "consent.approved",
        actor=by,
        partner=consent.partner,
        target=said(consent),
        request=request,
        contract=consent.contract_reference,
    )


def may_approve(user: User) -> bool:
    return user.is_staff and user.has_perms(["partners.change_consent", "partners.approve_grant"])


def said(consent: Consent) -> str:
    """What the audit trail calls it: the same words whoever's language it is."""
    return f"{consent.partner.slug} > {consent.given_to.slug}: {consent.title.slug}"


def fan_sets_with(consent: Consent) -> list[FanSet]:
    """Fan sets of which a rule counts its title: what it can open."""
    counts = Q(versions__titles=consent.title_id) | Q(versions__tag__titles=consent.title_id)
    return list(FanSet.objects.filter(counts).distinct().order_by("slug"))
