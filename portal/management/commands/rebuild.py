"""manage.py rebuild: what stands published, counted anew from the kept sources."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from engagement.pipeline.landing import Refused
from engagement.pipeline.rebuild import rebuild
from engagement.pipeline.staging import Missing
from engagement.roles import PUBLISH, acting_as
from partners.holdings import holders
from portal.management.commands.ingest import Bar, a_day, engine_named, told
from portal.management.pipeline import PipelineCommand


class Command(PipelineCommand):
    help = "Count published units anew from the kept sources. Nothing noised is drawn again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--title", metavar="ID", help="title_id; all titles without")
        parser.add_argument("--from", dest="since", type=a_day, metavar="D")
        parser.add_argument("--until", type=a_day, metavar="D", help="not included")

    def handle(self, *args: Any, **options: Any) -> None:
        since, until = options["since"], options["until"]
        if since is not None and until is not None and since >= until:
            raise CommandError(f"from {since} until {until} is no day: --until is not included")
        by = engine_named()
        started = time.monotonic()
        with acting_as(PUBLISH):
            held = holders()
        try:
            summary = rebuild(
                held,
                title=options["title"],
                since=since,
                until=until,
                by=by,
                progress=Bar(sys.stderr) if options["verbosity"] else lambda *_: None,
            )
        except (Refused, Missing) as error:
            raise CommandError(str(error)) from error
        if options["verbosity"]:
            self.stdout.write(told(summary, time.monotonic() - started))
