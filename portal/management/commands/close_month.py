"""manage.py close_month 2026-09 --by EMAIL: later changes of it become adjustments."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from engagement.pipeline.closing import NotSettled, close_month
from engagement.roles import PUBLISH, acting_as
from engagement.settling import settled_until


def _month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


class Command(BaseCommand):
    help = "Close a month for settlement: its numbers stay, later changes stand beside them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("month", type=_month, metavar="YYYY-MM")
        parser.add_argument("--by", required=True, metavar="EMAIL", help="who closes it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with acting_as(PUBLISH):
                closed = close_month(
                    options["month"], by=options["by"], settled_until=settled_until()
                )
        except NotSettled as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{closed} is closed, by {closed.closed_by}")
