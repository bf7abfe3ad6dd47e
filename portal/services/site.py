"""The portal's own processes: web, worker and beat, as the demo runs them."""

from __future__ import annotations

import contextlib
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from portal.services.paths import Places
from portal.services.supervisor import Child, Failed

FIRST_PORT = 8000


def addresses(port: int) -> list[str]:
    """Where `localhost` may lead a browser: 127.0.0.1, and ::1 where the machine has it."""
    found = [f"127.0.0.1:{port}"]
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as line:
        line.bind(("::1", 0))
        found.append(f"[::1]:{port}")
    return found


def is_free(port: int) -> bool:
    """Whether nobody listens on that port of this machine."""
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_port(asked: str | None, *, or_another: bool) -> int:
    """The port to serve on: the one asked for, else 8000.

    With `or_another` a free one is taken where 8000 is not. Raises Failed where the port is
    taken or no number.
    """
    try:
        port = int(asked or FIRST_PORT)
    except ValueError:
        raise Failed(f"PORT={asked} is not a number") from None
    if is_free(port):
        return port
    if or_another and not asked:
        with socket.socket() as line:
            line.bind(("127.0.0.1", 0))
            return int(line.getsockname()[1])
    raise Failed(f"port {port} is taken by another program; try PORT={port + 1}")


def status(url: str) -> int | None:
    """The HTTP status there, or None where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def web(port: int, env: Mapping[str, str]) -> Child:
    """The web server: two processes of four threads."""
    binds = [part for address in addresses(port) for part in ("--bind", address)]
    return Child(
        name="web",
        argv=[
            *(sys.executable, "-m", "gunicorn", "portal.wsgi:application", *binds),
            *("--workers", "2", "--threads", "4", "--timeout", "60", "--graceful-timeout", "10"),
            *("--access-logfile", "-", "--no-control-socket"),
            *("--logger-class", "portal.logs.ServerLog"),
        ],
        env=env,
        ready=lambda: (status(f"http://127.0.0.1:{port}/healthz") or 500) < 500,
        stop_within_s=20,
    )


def worker(places: Places, env: Mapping[str, str]) -> Child:
    """The Celery worker: two processes; its end waits for the task in hand."""
    return Child(
        name="worker",
        argv=[
            *(sys.executable, "-m", "celery", "-A", "portal.celery", "worker"),
            *("--concurrency", "2", "--loglevel", "INFO", "--without-gossip", "--without-mingle"),
        ],
        env=env,
        ready=log_says(places.log / "worker.log", " ready."),
        stop_within_s=60,
    )


def beat(places: Places, env: Mapping[str, str]) -> Child:
    """Celery's clock."""
    return Child(
        name="beat",
        argv=[
            *(sys.executable, "-m", "celery", "-A", "portal.celery", "beat"),
            *("--loglevel", "INFO", "--pidfile", ""),
            *("--schedule", str(places.run / "beat")),
        ],
        env=env,
        ready=log_says(places.log / "beat.log", "beat: Starting"),
        stop_within_s=10,
    )


class log_says:
    """A readiness: whether a log has said these words since this was made."""

    def __init__(self, log: Path, words: str) -> None:
        self.log = log
        self.words = words.encode()
        self.start = log.stat().st_size if log.exists() else 0

    def __call__(self) -> bool:
        if not self.log.exists():
            return False
        with self.log.open("rb") as file:
            file.seek(self.start)
            return self.words in file.read()
