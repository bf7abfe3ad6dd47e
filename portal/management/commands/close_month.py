"""manage.py close_month 2026-09 --by EMAIL: later changes of it become adjustments."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.core.validators import validate_email

from engagement.pipeline.closing import NotSettled, close_month
from engagement.roles import PUBLISH, acting_as
from engagement.settling import settled_until
from portal.management.pipeline import PipelineCommand


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no month: write it as 2026-09") from None


def _address(text: str) -> str:
    """Of whom it is, the pipeline's login cannot know: it reads no users."""
    try:
        validate_email(text)
    except ValidationError:
        raise ArgumentTypeError(f"{text!r} is no mail address") from None
    return text


class Command(PipelineCommand):
    help = "Close a month for settlement: its numbers stay, later changes stand beside them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("month", type=_month, metavar="YYYY-MM")
        parser.add_argument(
            "--by", type=_address, required=True, metavar="EMAIL", help="who closes it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with acting_as(PUBLISH):
                closed = close_month(
                    options["month"], by=options["by"], settled_until=settled_until()
                )
        except NotSettled as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{closed} is closed, by {closed.closed_by}")
