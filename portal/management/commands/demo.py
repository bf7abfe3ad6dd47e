"""The whole portal on this machine: servers, sample platform, web, worker and beat."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand

from portal.management.commands.services import set_up
from portal.services import servers, site
from portal.services.messages import compile_messages
from portal.services.paths import PROJECT, Places
from portal.services.supervisor import Failed, Stopped, Supervisor, say

ONCE_WITHIN_S = 900
MANAGE = str(PROJECT / "manage.py")


class Command(BaseCommand):
    help = "Set everything up with the sample platform and serve it until Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", default=os.environ.get("PORT") or None)
        parser.add_argument(
            "--once",
            action="store_true",
            default=os.environ.get("ONCE", "") not in ("", "0"),
            help="wait until every demo bundle is built and delivered, then stop everything",
        )
        parser.add_argument(
            "--no-sample",
            action="store_false",
            dest="sample",
            help="serve what is in the database, without the sample platform",
        )
        parser.add_argument(
            "--within", type=float, default=ONCE_WITHIN_S, help="limit of --once, in seconds"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        places = Places.here()
        places.make()
        lock = servers.try_lock(servers.Locks.of(places).demo)
        if lock is None:
            say(f"the demo of this checkout runs already: {where(places)}")
            say("stop it with Ctrl-C where it runs, or with `make stop`")
            sys.exit(1)
        servers.sign(lock)
        try:
            port = site.choose_port(options["port"], or_another=options["once"])
            env = environment(places, port)
            servers.sign(lock, env["BASE_URL"])
            with Supervisor(places.log) as supervisor, servers.in_use(places):
                try:
                    env.update(mail_environment(places))
                    serve(supervisor, places, env=env, port=port, began=began, options=options)
                finally:
                    supervisor.stop()  # before the servers that its children use
        except Stopped:
            say("stopped")
        except Failed as failure:
            say(f"\nthe demo stopped: {failure}")
            sys.exit(1)
        finally:
            lock.close()
        say(f"everything this demo started is stopped, after {time.monotonic() - began:.0f} s")


def serve(
    supervisor: Supervisor,
    places: Places,
    *,
    env: dict[str, str],
    port: int,
    began: float,
    options: dict[str, Any],
) -> None:
    """Set up, serve, and with --once wait for the bundles.

    Raises Failed and Stopped as the supervisor does.
    """
    set_up(verbosity=1)
    supervisor.step("migrations", [sys.executable, MANAGE, "migrate", "--verbosity", "1"], env=env)
    supervisor.check()
    for written in compile_messages():
        say(f"compiled {written.relative_to(PROJECT)}")
    collect_static()
    if options["sample"]:
        # in a process of its own, with the login it needs
        supervisor.step("sample platform", [sys.executable, MANAGE, "load_sample"], env=env)
    say("web, worker and beat ...")
    supervisor.start(site.web(port, env), site.worker(places, env), site.beat(places, env))
    if options["sample"]:
        write_summary(supervisor, places, env)
    alive = servers_alive(places)
    if options["once"]:
        state = [sys.executable, MANAGE, "demo_state", "--wait", str(options["within"])]
        supervisor.step("bundles and mails", state, env=env)
        alive()
        write_summary(supervisor, places, env)
        say(f"\nevery bundle is built and delivered; {time.monotonic() - began:.0f} s in all")
        return
    tell(places, env["BASE_URL"], seconds=time.monotonic() - began, sample=options["sample"])
    supervisor.watch(alive, every_s=0.5)


def environment(places: Places, port: int) -> dict[str, str]:
    """What the portal's processes are told beside our own environment."""
    env = {"PYTHONUNBUFFERED": "1", "BEAT_SCHEDULE": str(places.run / "beat")}
    env["BASE_URL"] = os.environ.get("BASE_URL") or f"http://localhost:{port}"
    return env


def mail_environment(places: Places) -> dict[str, str]:
    """Where the mail catcher listens, once it does."""
    if "mail" not in servers.wanted():
        return {}
    return {"EMAIL_URL": f"smtp://127.0.0.1:{places.mail_port()}"}


def collect_static() -> None:
    """Gather and compress the static files, unless they are the ones of the last time."""
    began = time.monotonic()
    found = hashlib.sha256()
    for finder in get_finders():
        for path, storage in sorted(finder.list([]), key=lambda pair: pair[0]):
            file = os.stat(storage.path(path))
            found.update(f"{path} {file.st_size} {file.st_mtime_ns}\n".encode())
    stamp = Path(settings.STATIC_ROOT) / ".made_of"
    if stamp.exists() and stamp.read_text() == found.hexdigest():
        return
    say("static files ...")
    # report/ is the PDF's own style, with addresses that only its renderer knows
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=["report"])
    stamp.write_text(found.hexdigest())
    say(f"static files: {time.monotonic() - began:.1f} s")


def write_summary(supervisor: Supervisor, places: Places, env: dict[str, str]) -> None:
    """Write var/demo.json, for people and for programs."""
    target = str(places.var / "demo.json")
    supervisor.step("demo.json", [sys.executable, MANAGE, "demo_state", "--write", target], env=env)


def servers_alive(places: Places) -> Any:
    """A condition for watch(): never true, but raises Failed once the servers are gone."""

    def check() -> bool:
        if servers.state(places) is None:
            raise Failed(f"the servers have stopped; see {places.log / 'servers.log'}")
        return False

    return check


def where(places: Places) -> str:
    """Where the demo that runs here is served, as it wrote beside its process id."""
    said = servers.Locks.of(places).demo.read_text().split()
    return said[1] if len(said) > 1 else "still starting"


def tell(places: Places, base_url: str, *, seconds: float, sample: bool) -> None:
    """Say where to go and who to sign in as."""
    say(f"\n  The portal is at {base_url}  (ready in {seconds:.0f} s)\n")
    summary = places.var / "demo.json"
    accounts = json.loads(summary.read_text())["accounts"] if sample else []
    for account in accounts:
        who = account["partner"] or "platform"
        code = totp_now(account.get("totp_secret"))
        say(
            f"  {account['email']:<34} {account['password']:<24} {who}, {account['role']}"
            + (f", code {code}" if code else "")
        )
    say(f"\n  mail to them lands in {places.mail}, logs in {places.log}")
    say("  Ctrl-C stops everything\n")


def totp_now(secret: str | None) -> str:
    """The six digits that an authenticator shows now (RFC 6238, SHA-1, 30 s); "" without secret."""
    if not secret:
        return ""
    import base64
    import hmac

    key = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
    mac = hmac.digest(key, int(time.time() // 30).to_bytes(8, "big"), "sha1")
    offset = mac[-1] & 15
    return f"{(int.from_bytes(mac[offset : offset + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"
