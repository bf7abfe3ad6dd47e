"""What happened, who did it, for which partner. Append-only: Postgres refuses the rest.

A trigger stamps when, in which transaction and by which database user. Events are sealed in
batches soon after (partners/sealing.py): a link says where in the chain an event stands.
"""

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
    transaction = models.BigIntegerField(db_default=0, editable=False)
    database_user = models.CharField(
        _("database user"), max_length=140, db_default="", editable=False
    )

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["partner", "-id"], name="audit_of_partner"),
            models.Index(fields=["partner", "actor"], name="audit_of_person"),
            models.Index(fields=["transaction", "id"], name="audit_by_transaction"),
            models.Index(fields=["action", "-id"], name="audit_of_action"),
            models.Index(fields=["at"], name="audit_at"),
        ]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.at):%Y-%m-%d %H:%M:%S} {self.action} {self.target}"


class AuditSeal(models.Model):
    """One batch of the chain. `root` is the hash of its last link, and so of all before it.

    Sealed are the events of transactions below `upto`, of which none can still commit, with ids
    above `floor`; a restored database starts both anew.
    """

    n = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(db_default=Now(), editable=False)
    events = models.BigIntegerField()  # in the chain up to here: the last link's position
    root = models.CharField(max_length=64)  # SHA-256, hex
    upto = models.BigIntegerField()
    floor = models.BigIntegerField(default=0)
    restored_from = models.BigIntegerField(null=True)  # the seal that the backup ended with

    class Meta:
        ordering = ["n"]

    def __str__(self) -> str:
        return f"{self.n} {self.root}"


class AuditLink(models.Model):
    """An event's place in the chain: SHA-256 of the link before it and of the event."""

    position = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField(
        AuditEvent, models.DO_NOTHING, related_name="link", db_constraint=False
    )
    seal = models.ForeignKey(AuditSeal, models.DO_NOTHING, related_name="links")
    sha256 = models.BinaryField(max_length=32)

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.position} {bytes(self.sha256).hex()}"
