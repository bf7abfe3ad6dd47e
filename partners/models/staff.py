"""Who among the staff may do what, where it takes two people to say so."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from partners.models.people import User


class RoleChange(models.Model):
    """An administrator proposes another; a second administrator accepts or refuses.

    The other roles are given by one person, and leave a record in the audit trail alone.
    """

    user = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("who"))
    made_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("proposed by")
    )
    made_at = models.DateTimeField(_("proposed at"), db_default=Now(), editable=False)
    decided_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided at"), null=True)
    accepted = models.BooleanField(_("accepted"), null=True)

    class Meta:
        verbose_name = _("proposed administrator")
        verbose_name_plural = _("proposed administrators")
        ordering = ["-id"]
        permissions = [("hand_out_roles", "Can hand out roles")]
        constraints = [
            models.CheckConstraint(
                condition=~Q(user=F("made_by")), name="nobody_proposes_themselves"
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True)
                | (~Q(decided_by=F("made_by")) & ~Q(decided_by=F("user"))),
                name="role_change_needs_two_people",
            ),
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(decided_at__isnull=True),
                name="one_open_role_change_of_a_person",
            ),
        ]

    def __str__(self) -> str:
        return str(self.user)
