"""Whose a title is (Holding) and who may see what of it (Grant, Entitlement)."""

from __future__ import annotations

import uuid
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import ExpressionWrapper, F, Q
from django.db.models.functions import JSONObject, Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from partners.models.people import Partner, User


def _codes(verbose_name: Any, help_text: Any = "") -> ArrayField:
    return ArrayField(
        models.CharField(max_length=32), verbose_name=verbose_name, help_text=help_text
    )


class Holding(models.Model):
    """Whose a title is: partner x title x territories x [from, until). It opens nothing."""

    partner = models.ForeignKey(
        Partner, models.PROTECT, related_name="holdings", verbose_name=_("partner")
    )
    title = models.ForeignKey(
        "engagement.Title", models.PROTECT, related_name="holdings", verbose_name=_("title")
    )
    territories = _codes(_("territories"), help_text=_("ISO 3166-1 codes; * for all."))
    from_day = models.DateField(_("from"), null=True, blank=True)
    until = models.DateField(_("until"), null=True, blank=True)
    # who made it what it is, and when: they do not approve alone what it opens
    recorded_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, editable=False,
        verbose_name=_("recorded by"),
    )  # fmt: skip
    recorded_at = models.DateTimeField(_("recorded at"), null=True, editable=False)

    class Meta:
        verbose_name = _("holding")
        verbose_name_plural = _("holdings")
        ordering = ["partner", "title"]

    def __str__(self) -> str:
        return f"{self.partner.slug} {self.title.slug} {'|'.join(self.territories)}"


class Consent(models.Model):
    """A partner lets another's fan sets be built from one of its titles.

    Recorded by one person; it is in force once another has approved it.
    """

    partner = models.ForeignKey(
        Partner, models.PROTECT, related_name="consents", verbose_name=_("partner")
    )
    given_to = models.ForeignKey(
        Partner, models.PROTECT, related_name="+", verbose_name=_("given to")
    )
    title = models.ForeignKey(
        "engagement.Title", models.PROTECT, related_name="+", verbose_name=_("title")
    )
    contract_reference = models.CharField(_("contract reference"), max_length=200)
    from_day = models.DateField(_("from"))
    until = models.DateField(_("until"), null=True, blank=True)
    recorded_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("recorded by")
    )
    recorded_at = models.DateTimeField(_("recorded at"), auto_now_add=True)
    approved_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, editable=False,
        verbose_name=_("approved by"),
    )  # fmt: skip
    approved_at = models.DateTimeField(_("approved at"), null=True, editable=False)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        ordering = ["partner", "title"]
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("recorded_by")),
                name="consent_needs_two_people",
            ),
        ]

    def __str__(self) -> str:
        return gettext("%(title)s: %(partner)s to %(given_to)s") % {
            "title": self.title,
            "partner": self.partner,
            "given_to": self.given_to,
        }


class Grant(models.Model):
    """One tuple: these titles x families x data window x territories x exits, while valid.

    Made by one person and approved by another. Grants are unioned as whole tuples.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed", _("proposed")
        APPROVED = "approved", _("approved")
        REVOKED = "revoked", _("revoked")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    partner = models.ForeignKey(
        Partner, models.PROTECT, related_name="grants", verbose_name=_("partner")
    )
    titles = models.ManyToManyField(
        "engagement.Title",
        related_name="grants",
        verbose_name=_("titles"),
        help_text=_("A series opens those of its children that the partner holds."),
    )
    families = _codes(_("families"))
    data_from = models.DateField(_("data from"), null=True, blank=True)
    data_until = models.DateField(_("data until"), null=True, blank=True)
    territories = _codes(_("territories"), help_text=_("ISO 3166-1 codes; * for all."))
    exits = _codes(_("exits"))
    valid_from = models.DateTimeField(_("valid from"))
    valid_until = models.DateTimeField(_("valid until"), null=True, blank=True)
    contract_reference = models.CharField(_("contract reference"), max_length=200)
    replaces = models.ForeignKey(
        "self", models.PROTECT, related_name="replaced_by", null=True, blank=True,
        verbose_name=_("replaces"),
        help_text=_("An approved grant of the same partner that ends where this one begins."),
    )  # fmt: skip
    state = models.CharField(
        _("state"), max_length=16, choices=State.choices, default=State.PROPOSED, editable=False
    )
    made_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", editable=False, verbose_name=_("made by")
    )
    made_at = models.DateTimeField(_("made at"), db_default=Now(), editable=False)
    approved_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, editable=False,
        verbose_name=_("approved by"),
    )  # fmt: skip
    approved_at = models.DateTimeField(_("approved at"), null=True, editable=False)
    revoked_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, editable=False,
        verbose_name=_("revoked by"),
    )  # fmt: skip
    revoked_at = models.DateTimeField(_("revoked at"), null=True, editable=False)

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        ordering = ["-made_at"]
        permissions = [("approve_grant", "Can approve grant")]
        indexes = [models.Index(fields=["-made_at", "-id"], name="grant_newest_first")]
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("made_by")),
                name="grant_needs_two_people",
            ),
            models.CheckConstraint(
                condition=~Q(state="approved")
                | Q(approved_by__isnull=False, approved_at__isnull=False, revoked_at__isnull=True),
                name="approved_grant_has_an_approver",
            ),
            models.CheckConstraint(
                condition=Q(data_from__isnull=True)
                | Q(data_until__isnull=True)
                | Q(data_from__lt=F("data_until")),
                name="grant_window_is_not_empty",
            ),
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_from__lt=F("valid_until")),
                name="grant_is_valid_for_a_while",
            ),
            # an entitlement's grant and partner are looked up here together
            models.UniqueConstraint(fields=["id", "partner"], name="grant_of_its_partner"),
            models.CheckConstraint(
                condition=Q(replaces__isnull=True) | ~Q(replaces=F("id")),
                name="grant_replaces_another",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.partner.slug} {self.contract_reference}"


# What makes an entitlement live, whatever the exit: by the database clock.
LIVE: dict[str, Q] = {
    "the partner's own": Q(grant__partner=F("partner")),
    "approved": Q(grant__state=Grant.State.APPROVED, grant__approved_by__isnull=False),
    "not revoked": Q(grant__revoked_at__isnull=True),
    "begun": Q(valid_from__lte=Now()),
    "not expired": Q(valid_until__isnull=True) | Q(valid_until__gt=Now()),
    "not suspended": Q(partner__suspended_at__isnull=True),
}


class EntitlementQuerySet(models.QuerySet["Entitlement"]):
    def live(self, partner_id: uuid.UUID, exit: str) -> Self:
        """Approved, not revoked, partner not suspended, valid now by the database clock."""
        return self.filter(*LIVE.values(), partner_id=partner_id, exits__contains=[exit])

    def explained(self, partner_id: uuid.UUID, exit: str) -> Self:
        """Every entitlement of the partner, live or not, with what `live` asks of it.

        Each row has `said`, by the name of the condition whether it is fulfilled.
        """
        asked = {**LIVE, "exit": Q(exits__contains=[exit])}
        return self.filter(partner_id=partner_id).annotate(
            said=JSONObject(
                **{
                    name: ExpressionWrapper(condition, output_field=models.BooleanField())
                    for name, condition in asked.items()
                }
            )
        )


class Entitlement(models.Model):
    """What a grant opens of one title: what both walls read. Written by partners/grants.py alone.

    One row; for a child of a granted series one for each set of territories and days that the
    partner's holdings cover.
    """

    grant = models.ForeignKey(Grant, models.CASCADE, related_name="entitlements")
    partner = models.ForeignKey(Partner, models.PROTECT, related_name="entitlements")
    title = models.ForeignKey("engagement.Title", models.PROTECT, related_name="entitlements")
    families = _codes("families")
    territories = _codes("territories")
    exits = _codes("exits")
    data_from = models.DateField()
    data_until = models.DateField()
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)

    objects = EntitlementQuerySet.as_manager()

    class Meta:
        verbose_name = _("entitlement")
        verbose_name_plural = _("entitlements")
        constraints = [
            models.UniqueConstraint(
                fields=["grant", "title", "territories", "data_from", "data_until"],
                name="tuple_once_per_grant",
            )
        ]
        indexes = [
            models.Index(fields=["partner", "title"], name="entitlement_of_partner"),
            GinIndex(fields=["families"], name="entitlement_families"),
        ]

    def __str__(self) -> str:
        return f"{self.grant_id} {self.title_id}"
