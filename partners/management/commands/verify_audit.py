"""Says whether the audit trail is as it was written."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from partners.verifying import verify


class Command(BaseCommand):
    help = (
        "Compare every audit event with the chain, and the chain with AUDIT_ANCHOR. "
        "Exit code: 0 whole, 1 something was changed, 2 the database is behind the anchor (an"
        " older copy, or its end was cut off), 3 there is no anchor to compare with."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        verdict = verify()
        for finding in (*verdict.changed, *verdict.behind):
            self.stderr.write(finding)
        for restore in verdict.restores:
            self.stdout.write(restore)
        if not verdict.anchored:
            self.stderr.write("there is no anchor: a whole chain may have been written anew")
        self.stdout.write(f"{verdict.events} events in {verdict.seals} seals")
        if verdict.unsealed and verdict.unsealed_since:
            since = timezone.localtime(verdict.unsealed_since)
            self.stdout.write(f"{verdict.unsealed} not sealed yet, since {since:%Y-%m-%d %H:%M:%S}")
        if verdict.exit_code:
            sys.exit(verdict.exit_code)
        self.stdout.write("whole")
