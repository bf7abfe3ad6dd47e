"""manage.py ingest PATH...: landed files in, published Releases out."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from engagement.formats import Options, readable
from engagement.pipeline.holders import Holders
from engagement.pipeline.ingest import EMBEDDED, ENGINES, SPARK, ingest
from engagement.pipeline.landing import Refused, Summary
from engagement.pipeline.spark import SparkMissing
from engagement.pipeline.spark import require as require_spark
from engagement.pipeline.staging import Missing
from engagement.roles import PUBLISH, acting_as
from partners.holdings import holders
from portal.management.pipeline import PipelineCommand

_WIDTH = 28
_QUIET_S = 10.0


class Bar:
    """A progress bar on a terminal; elsewhere a line now and then."""

    def __init__(self, out: TextIO) -> None:
        self.out, self.on_terminal = out, out.isatty()
        self.said_at = time.monotonic()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if not total:
            return
        if self.on_terminal:
            filled = _WIDTH * done // total
            bar = "#" * filled + "." * (_WIDTH - filled)
            self.out.write(f"\r{stage:<9} [{bar}] {done}/{total} ")
            if done == total:
                self.out.write("\n")
            self.out.flush()
        elif done == total or time.monotonic() - self.said_at > _QUIET_S:
            self.said_at = time.monotonic()
            self.out.write(f"{stage} {done}/{total}\n")
            self.out.flush()


class Command(PipelineCommand):
    help = (
        "Take in landed files (titles, segments, danmu, discussion, shares, players' logs; .gz too)"
        " and publish what they say. Without a file: publish what a run left undone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="files or folders")
        parser.add_argument("--format", choices=readable(), help="instead of recognising it")
        parser.add_argument(
            "--engine", choices=ENGINES, help="where segments are counted; as ENGINE_URL says"
        )
        parser.add_argument("--title", metavar="ID", help="title_id of files that do not say")
        parser.add_argument("--territory", metavar="XX", help="territory of rows that do not say")
        parser.add_argument("--day", type=a_day, metavar="D", help="day of rows without a time")
        parser.add_argument(
            "--withdraw", action="append", default=[], metavar="NAME", help="take a source back"
        )
        parser.add_argument("--sample", action="store_true", help="mark all of it as sample data")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["day"] is not None and options["day"] > timezone.localdate():
            raise CommandError(f"--day {options['day']} has not come yet")
        by = options["engine"] or engine_named()
        said = {key: options[key] for key in ("title", "territory", "day", "format")}
        started = time.monotonic()
        try:
            if by == SPARK:
                require_spark()
            summary = ingest(
                options["paths"],
                Options(**said),
                withdraw=options["withdraw"],
                holders=_holders(),
                sample=options["sample"],
                by=by,
                progress=Bar(sys.stderr) if options["verbosity"] else lambda *_: None,
            )
        except (Refused, Missing, SparkMissing) as error:
            raise CommandError(str(error)) from error
        if options["verbosity"]:
            self.stdout.write(told(summary, time.monotonic() - started))
        if summary.quarantined:
            sys.exit(1)


def a_day(text: str) -> date:
    """An argument. Raises ArgumentTypeError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day: write it as 2026-11-03") from None


def engine_named() -> str:
    """What ENGINE_URL names. Raises CommandError."""
    for scheme, engine in (("embedded://", EMBEDDED), ("spark://", SPARK)):
        if settings.ENGINE_URL.startswith(scheme):
            return engine
    raise CommandError(
        f"ENGINE_URL is {settings.ENGINE_URL!r}: name embedded:// or spark://HOST:PORT"
    )


def _holders() -> Holders:
    with acting_as(PUBLISH):
        return holders()


def told(summary: Summary, seconds: float) -> str:
    """The summary in words."""
    lines = [
        f"files      {summary.files} ({summary.unchanged} unchanged,"
        f" {len(summary.quarantined)} quarantined, {summary.withdrawn} withdrawn)",
        f"rows read  {summary.rows_read} ({summary.rows_kept} kept)",
    ]
    for reason, rows in sorted(summary.rejected.items()):
        lines.append(f"rejected   {rows} {reason}")
    if summary.duplicates:
        lines.append(f"duplicates {summary.duplicates} (counted once)")
    if summary.held_changes:
        lines.append(f"held       {summary.held_changes} title changes wait for a second person")
    lines.append(f"releases   {summary.releases}")
    lines += [f"replaced {name}: {told}" for name, told in sorted(summary.replaced.items())]
    lines += [f"quarantined {name}: {why}" for name, why in sorted(summary.quarantined.items())]
    return "\n".join([*lines, f"took       {seconds:.1f} s"])
