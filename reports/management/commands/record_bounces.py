"""`record_bounces [FILE|FOLDER|-]`: mark the mails that came back (docs/delivery.md)."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from reports.bounces import bounces_in, messages_of, read_one, record_bounce


class Command(BaseCommand):
    help = "Read delivery status notifications and mark the reports' mails that came back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "source", nargs="?", default="-", help="one message, a Maildir folder, or - for stdin"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        source = options["source"]
        try:
            if source == "-":
                contents = iter([read_one(sys.stdin.buffer)])
            else:
                contents = messages_of(Path(source))
            read = marked = 0
            for content in contents:
                read += 1
                marked += sum(record_bounce(bounce) for bounce in bounces_in(content))
        except OSError as problem:
            raise CommandError(f"{source}: {problem.strerror or problem}") from None
        self.stdout.write(f"{read} read, {marked} marked as bounced")
