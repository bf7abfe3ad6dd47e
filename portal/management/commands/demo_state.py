"""How far the demo's bundles are, and what var/demo.json says. `demo` runs it as a process."""

from __future__ import annotations

import json
import os
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from engagement.roles import STAFF, acting_as

POLL_S = 1.0
SAY_EVERY_S = 10.0
FIRST_WITHIN_S = 60.0
"""Schedules become bundles at the next sweep, so there may be none at first."""
DONE = "done"
LOST_STATES = ("failed", "cancelled", "unknown")


class Command(BaseCommand):
    help = "Wait for the demo's bundles and mails, or write var/demo.json."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--wait", type=float, metavar="SECONDS")
        parser.add_argument("--write", type=Path, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["wait"] is not None:
            wait(within_s=options["wait"])
        if options["write"]:
            write(options["write"])


def counts() -> dict[str, dict[str, int]]:
    """How many bundles and deliveries are in which state."""
    from django.db.models import Count

    from reports.models import Bundle, Delivery

    with acting_as(STAFF):
        return {
            model.__name__.lower(): dict(
                model.objects.order_by()
                .values_list("state")
                .annotate(rows=Count("*"))
                .values_list("state", "rows")
            )
            for model in (Bundle, Delivery)
        }


def wait(*, within_s: float) -> None:
    """Return once every bundle is built and every delivery sent, telling how it goes.

    Raises CommandError where one is lost, at the end of the time, or where none appears.
    """
    began = time.monotonic()
    deadline = began + within_s
    told, told_at = "", 0.0
    while True:
        now = counts()
        bundles, deliveries = now["bundle"], now["delivery"]
        text = f"  bundles {summary(bundles)}; mails {summary(deliveries)}"
        if text != told or time.monotonic() - told_at > SAY_EVERY_S:
            print(text, flush=True)
            told, told_at = text, time.monotonic()
        lost = [state for state in LOST_STATES if bundles.get(state) or deliveries.get(state)]
        if lost:
            raise CommandError(f"a bundle or a mail is {', '.join(lost)}:{text}")
        if set(bundles) == {DONE} and set(deliveries) == {DONE}:
            return
        if not bundles and time.monotonic() > began + FIRST_WITHIN_S:
            raise CommandError(f"no bundle appeared within {FIRST_WITHIN_S:.0f} s")
        if time.monotonic() > deadline:
            raise CommandError(f"not done after {within_s:.0f} s:{text}")
        time.sleep(POLL_S)


def summary(states: dict[str, int]) -> str:
    return ", ".join(f"{rows} {state}" for state, rows in sorted(states.items())) or "none"


def write(target: Path) -> None:
    """Write the demo's summary, whole or not at all; others may be reading it."""
    from portal.sample.summary import demo_summary

    part = target.with_suffix(".part")
    part.touch(mode=0o600)
    text = json.dumps({"base_url": settings.BASE_URL, **demo_summary()}, ensure_ascii=False)
    part.write_text(text + "\n", encoding="utf-8")
    os.replace(part, target)
