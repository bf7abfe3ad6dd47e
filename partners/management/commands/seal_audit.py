"""Seals what the audit trail has not sealed yet. Beat does it every five seconds by itself."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from partners import anchor, sealing


class Command(BaseCommand):
    help = "Chain the audit trail's new events and write the root to AUDIT_ANCHOR."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--new-anchor",
            action="store_true",
            help="write every seal to an anchor that is empty: the old one was lost or moved",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["new_anchor"]:
                self.stdout.write(f"{sealing.anchor_anew()} seals written to the new anchor")
            self.stdout.write(f"{sealing.seal()} events sealed")
        except (sealing.OutOfStep, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        except anchor.Busy:
            raise CommandError("another sealer holds the anchor; try again") from None
