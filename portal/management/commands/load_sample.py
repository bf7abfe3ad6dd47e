"""Put the sample platform in: landing files, people, grants, schedules, first bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.sample.load import SampleError, load


class Command(BaseCommand):
    help = "Put the sample platform in; does nothing where it is in already."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--folder",
            type=Path,
            default=settings.VAR / "sample",
            help="where its landing files are, or are to be written",
        )
        parser.add_argument("--segments", type=int, default=300_000, help="about how many rows")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            load(options["folder"], segments=options["segments"], say=self.stdout.write)
        except SampleError as error:
            raise CommandError(str(error)) from error
