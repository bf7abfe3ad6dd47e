"""Who is signed in where, and how often somebody has tried: the truth is here, not in Redis."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now

from partners.models.people import User


class Session(models.Model):
    """One browser's session, found by the hash of its cookie: the table lets nobody in."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key_sha256 = models.CharField(max_length=64, unique=True)
    data = models.TextField()
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="+")
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    started_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.id)


class Attempt(models.Model):
    """How often a key (an account, a network) was tried in a window that began at `began_at`."""

    key = models.CharField(primary_key=True, max_length=64)
    began_at = models.DateTimeField()
    n = models.IntegerField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.key
