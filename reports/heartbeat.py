"""When each part of the background was last heard from; /readyz asks.

`worker` is heard from with every task and while it holds a lease, `beat` whenever its bell
arrives.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from engagement.roles import WORKER, acting_as
from reports.models import Heartbeat

WORKER_KIND = "worker"
BEAT_KIND = "beat"

_SEEN = """
INSERT INTO reports_heartbeat (kind, at)
VALUES (%s, clock_timestamp())
ON CONFLICT (kind) DO UPDATE
SET at = clock_timestamp()
"""


def seen(kind: str) -> None:
    """Note, by the database clock, that this part is alive."""
    with acting_as(WORKER), connection.cursor() as cursor:
        cursor.execute(_SEEN, [kind])


def last_seen(kind: str) -> datetime | None:
    """When that was noted last; None where never."""
    return Heartbeat.objects.filter(kind=kind).values_list("at", flat=True).first()
