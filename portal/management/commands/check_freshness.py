"""manage.py check_freshness: exit 1 where something published is not as its sources are."""

from __future__ import annotations

import sys
from typing import Any

from engagement.pipeline.rebuild import drawn_otherwise, freshness
from engagement.roles import PUBLISH, acting_as
from partners.holdings import holders
from portal.management.pipeline import PipelineCommand


class Command(PipelineCommand):
    help = (
        "Say what is stale, unfinished or gone, and what to do; exit 1 where anything is. Names"
        " the weeks whose holdings changed after they were counted, which is no failure."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with acting_as(PUBLISH):
            found = freshness()
            otherwise = drawn_otherwise(holders()) if options["verbosity"] else []
        for note in otherwise:
            self.stdout.write(str(note))
        for finding in found:
            self.stdout.write(f"{finding.what}: {finding.todo}")
        if found:
            sys.exit(1)
        if options["verbosity"]:
            self.stdout.write("everything published is as its sources are")
