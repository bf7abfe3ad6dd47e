"""A command of the publisher's in a process of its own, which is killed or waits at a named point.

The process has the test's database and folders and logs in as the publisher. Only for tests that
commit (`django_db(transaction=True)`): nothing else is seen from another process.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

_PATIENCE_S = 60

POINTS = {
    # the Releases are STARTED and nothing else has happened
    "begun": ("engagement.pipeline.publish", "begin"),
    # everything is swapped and DONE, and not committed
    "swapped": ("engagement.pipeline.publish", "finish"),
    # as `swapped`, with the pieces of segments too
    "cut": ("engagement.pipeline.publish", "forget_carried_on"),
    # the segments are committed, nothing has been counted from them
    "settled": ("engagement.pipeline.ingest", "_settle"),
    # the month is closed, and not committed
    "closed": ("portal.management.commands.close_month", "close_month"),
}
"""Functions after whose call the process is killed or waits."""


@dataclass
class Apart:
    """A process that was started."""

    process: BaseProcess
    there: Path
    out: Path

    @property
    def exit_code(self) -> int | None:
        return self.process.exitcode

    def wait_until_there(self) -> None:
        """Until it has come to its point and waits."""
        until = time.monotonic() + _PATIENCE_S
        while not self.there.exists():
            assert self.exit_code is None, self.out.read_text()
            assert time.monotonic() < until, "it never came to its point"
            time.sleep(0.02)

    def goes_on(self) -> None:
        self.there.unlink()

    def said(self) -> str:
        """All it wrote, once it has ended."""
        self.process.join(_PATIENCE_S)
        assert self.exit_code is not None, f"it never ended: {self.out.read_text()}"
        return self.out.read_text()

    def ends(self) -> int:
        """Its exit code."""
        said = self.said()
        assert self.exit_code is not None, said
        return self.exit_code


@cache
def _fresh() -> ForkServerContext:
    """Makes processes by forking one that has loaded everything and opened nothing: to start
    Python, Django and the kernel took longer than what most of them do.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.engagement.apart_loaded"])
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DJANGO_SETTINGS_MODULE", "portal.settings")
        patched.setenv("DATABASE_LOGIN", "publish")
        patched.setenv("OPENBLAS_NUM_THREADS", "1")  # what is forked has no threads
        forkserver.ensure_running()
    return context


def start(
    tmp_path: Path, *command: str | Path, at: str = "", kind: str = "", do: str = ""
) -> Apart:
    """Start `manage.py command`. At the point `at` (of Releases of `kind`), it is to `do`:
    "die" by SIGKILL, or "wait" until told to go on."""
    there = tmp_path / f"there-{time.monotonic_ns()}"
    spec = {
        "command": [str(word) for word in command],
        "var": str(Path(settings.STAGING).parent),
        "database": connection.settings_dict["NAME"],
        "at": at,
        "kind": kind,
        "do": do,
        "there": str(there),
    }
    out = there.with_suffix(".out")
    out.touch()
    process = _fresh().Process(target=main, args=(spec, str(out)))
    process.start()
    return Apart(process, there, out)


def killed(tmp_path: Path, *command: str | Path, at: str, kind: str = "") -> None:
    """Run a command that is killed at a point."""
    apart = start(tmp_path, *command, at=at, kind=kind, do="die")
    said = apart.said()
    assert apart.exit_code == -signal.SIGKILL, said


def wait_for_lock() -> None:
    """Until some process waits for a lock that another holds."""
    until = time.monotonic() + _PATIENCE_S
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database"
                " WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
            )
            if cursor.fetchone() != (0,):
                return
            assert time.monotonic() < until, "nobody came to wait for a lock"
            time.sleep(0.02)


# --- in the other process ------------------------------------------------------------------------


def main(spec: dict[str, Any], out: str) -> None:
    with open(out, "ab") as written:
        for stream in (1, 2):
            os.dup2(written.fileno(), stream)
    from django.core.management import call_command

    var = Path(spec["var"])
    settings.STAGING, settings.SOURCES = var / "staged", var / "sources"
    settings.PEOPLE = var / "people"
    settings.PUBLISHER_KEY = b"test key"
    settings.DATABASES["default"]["NAME"] = spec["database"]
    if spec["at"]:
        module, name = POINTS[spec["at"]]
        target = import_module(module)
        setattr(target, name, _with_point(getattr(target, name), spec))
    call_command(*spec["command"], verbosity=0)


def _with_point(real: Callable[..., Any], spec: dict[str, Any]) -> Callable[..., Any]:
    def called(*args: Any, **keywords: Any) -> Any:
        found = real(*args, **keywords)
        if not spec["kind"] or spec["kind"] == _kind(*args[:2]):
            if spec["do"] == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if spec["do"] == "wait":
                spec["do"] = "go on"
                _wait(Path(spec["there"]))
        return found

    return called


def _kind(first: Any, second: Any) -> str:
    """The kind of the Releases of a call to `begin` or `finish`; empty where it has none."""
    if isinstance(first, str):
        return first if second else ""
    return str(first[0].kind) if first else ""


def _wait(there: Path) -> None:
    there.touch()
    while there.exists():
        time.sleep(0.02)
