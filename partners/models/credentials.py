"""Tokens by which a program reads one partner's numbers."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from partners.models.people import Membership, Partner, User


class Credential(models.Model):
    """One token of one partner. Of the token itself only its SHA-256 is kept, and its first part.

    It never does more than its maker may at that moment, and ends with the maker's membership
    (`maker` is then null; `made_by` still says who it was). The database lets its end only come
    earlier, and nothing that it opens change.
    """

    LONGEST = timedelta(days=365)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    partner = models.ForeignKey(
        Partner, models.CASCADE, related_name="credentials", verbose_name=_("partner")
    )
    maker = models.ForeignKey(
        Membership, models.SET_NULL, null=True, related_name="+", verbose_name=_("acts for")
    )
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("made by"))
    name = models.CharField(_("name"), max_length=80)
    prefix = models.CharField(_("begins with"), max_length=12)
    token_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    exits = ArrayField(models.CharField(max_length=16), verbose_name=_("exits"))
    families = ArrayField(
        models.CharField(max_length=32), verbose_name=_("only these families"), null=True
    )
    networks = ArrayField(
        models.CharField(max_length=43), verbose_name=_("only from these networks"), default=list
    )
    made_at = models.DateTimeField(_("made at"), db_default=Now())
    expires_at = models.DateTimeField(_("expires"))
    last_used_at = models.DateTimeField(_("last used"), null=True)
    replaces = models.OneToOneField(
        "self", models.SET_NULL, null=True, related_name="replaced_by", verbose_name=_("replaces")
    )
    revoked_at = models.DateTimeField(_("revoked at"), null=True)
    revoked_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("revoked by")
    )
    reminded_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("credential")
        verbose_name_plural = _("credentials")
        ordering = ["-made_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gte=F("made_at"))
                & Q(expires_at__lte=F("made_at") + timedelta(days=365)),
                name="credential_lasts_a_year_at_most",
            ),
            models.CheckConstraint(
                condition=Q(exits__contains=["api"]) & Q(exits__contained_by=["api", "export"]),
                name="credential_is_for_the_api",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
