"""Starts and stops this checkout's private servers for work with manage.py."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from portal.services import servers
from portal.services.paths import Places
from portal.services.supervisor import Failed


class Command(BaseCommand):
    help = (
        "Start the private PostgreSQL, Valkey and mail catcher in the background, and set the "
        "database up. With a program behind --, only for as long as that runs."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--stop", action="store_true", help="stop them, and the demo")
        parser.add_argument("--foreground", action="store_true", help="run them until Ctrl-C")
        parser.add_argument("program", nargs="*", help="-- program with its arguments")

    def handle(self, *args: Any, **options: Any) -> None:
        places = Places.here()
        places.make()
        try:
            if options["stop"]:
                if not servers.stop(places):
                    self.stdout.write("no servers of this checkout run")
            elif options["program"]:
                with servers.in_use(places):
                    set_up(options["verbosity"])
                    code = run(options["program"])
                sys.exit(code)
            elif options["foreground"]:
                servers.Locks.of(places).kept.touch()
                sys.exit(servers.run_servers(places))
            else:
                servers.Locks.of(places).kept.touch()
                with servers.in_use(places):
                    set_up(options["verbosity"])
                self.stdout.write(
                    "the servers stay up until `make stop`; "
                    f"PostgreSQL and Valkey listen in {places.sockets}, "
                    f"mail goes to 127.0.0.1:{places.mail_port()} and {places.mail}"
                )
        except Failed as failure:
            raise CommandError(str(failure)) from None


def set_up(verbosity: int) -> None:
    """Make roles and database where we are told how to reach a superuser."""
    if "postgres" in servers.wanted() or os.environ.get("ADMIN_DATABASE_URL"):
        call_command("setup_database", verbosity=verbosity)


def run(program: list[str]) -> int:
    """Run a program on our terminal; Ctrl-C reaches it directly, and we wait for its end."""
    process = subprocess.Popen(program)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue
