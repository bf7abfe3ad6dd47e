"""What happened, who did it, for which partner. Append-only: Postgres refuses the rest."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from partners.models.people import Partner, User


class AuditEvent(models.Model):
    at = models.DateTimeField(_("at"), db_default=Now(), editable=False)
    actor = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("who")
    )
    partner = models.ForeignKey(
        Partner, models.PROTECT, null=True, related_name="+", verbose_name=_("partner")
    )
    action = models.CharField(_("action"), max_length=64)
    target = models.CharField(_("what"), max_length=300, blank=True)
    detail = models.JSONField(_("detail"), default=dict)
    ip = models.GenericIPAddressField(_("IP address"), null=True)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        ordering = ["-id"]
        indexes = [models.Index(fields=["partner", "-id"], name="audit_of_partner")]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.at):%Y-%m-%d %H:%M:%S} {self.action} {self.target}"
