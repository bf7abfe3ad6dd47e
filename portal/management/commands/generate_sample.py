"""Write the landing files of the sample platform into a folder."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal.sample.generator import generate


class Command(BaseCommand):
    help = "Write the landing files of the sample platform into a folder."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--out", type=Path, required=True, help="the folder to write into")
        parser.add_argument(
            "--until", type=date.fromisoformat, required=True, help="the day after the last one"
        )
        parser.add_argument("--days", type=int, default=60)
        parser.add_argument("--seed", type=int, default=20261101)
        parser.add_argument("--segments", type=int, default=300_000, help="about how many rows")

    def handle(self, *args: Any, **options: Any) -> None:
        generate(
            options["out"],
            until=options["until"],
            days=options["days"],
            seed=options["seed"],
            segments=options["segments"],
        )
        self.stdout.write(f"wrote the sample platform into {options['out']}")
