"""Starts processes in order, watches them, and stops them in reverse.

What it promises: Ctrl-C and SIGTERM stop everything and count as success; one process dying
stops the others and counts as failure; a supervisor that is killed outright leaves no process
behind, because every child asked the kernel for a signal at its parent's death.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from portal.services.paths import PROJECT

PR_SET_PDEATHSIG = 1
POLL_S = 0.05

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Stopped(Exception):
    """Somebody asked us to stop (Ctrl-C or SIGTERM)."""


class Failed(Exception):
    """A process did not start, ended by itself, or a step failed. The text says which and why."""


@dataclass(frozen=True)
class Child:
    """A process to keep running. `ready` is polled until it is true; times are seconds."""

    name: str
    argv: Sequence[str]
    ready: Callable[[], bool] = lambda: True
    before: Callable[[], None] = lambda: None
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_with: signal.Signals = signal.SIGTERM
    orphaned: signal.Signals = signal.SIGTERM
    ready_within_s: float = 60.0
    stop_within_s: float = 30.0


def say(text: str) -> None:
    """One line of progress, at once."""
    print(text, flush=True)


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    orphaned: signal.Signals = signal.SIGTERM,
    output: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own that gets `orphaned` when we die.

    A session of its own, because a terminal's Ctrl-C would otherwise reach the database before
    those who write to it. Call it from the main thread: the kernel counts the death of the
    thread that forked.
    """
    parent = os.getpid()

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # `sh &` hands it down as ignored
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(orphaned))
            if os.getppid() != parent:
                os._exit(1)

    account: dict[str, object] = {}
    if user is not None:
        import grp
        import pwd

        entry = pwd.getpwnam(user)
        account = {
            "user": entry.pw_uid,
            "group": grp.getgrgid(entry.pw_gid).gr_gid,
            "extra_groups": [],
        }
    process: subprocess.Popen[bytes] = subprocess.Popen(
        list(argv),
        cwd=PROJECT if user is None else "/",
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        start_new_session=True,
        preexec_fn=prepare,
        **account,  # type: ignore[call-overload]
    )
    return process


class Supervisor:
    """Keeps children running. Use as a context manager: leaving it stops whatever runs."""

    def __init__(self, log_dir: Path, *, say: Callable[[str], None] = say) -> None:
        self.log_dir = log_dir
        self.say = say
        self.running: list[tuple[Child, subprocess.Popen[bytes]]] = []
        self.asked_to_stop = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Supervisor:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._stop_asked)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _stop_asked(self, number: int, frame: FrameType | None) -> None:
        self.asked_to_stop = True

    @property
    def pids(self) -> dict[str, int]:
        return {child.name: process.pid for child, process in self.running}

    def log_of(self, name: str) -> Path:
        return self.log_dir / f"{name}.log"

    def start(self, *children: Child) -> None:
        """Start children and wait until all of them are ready.

        Raises Failed where one ends before, or is not ready in its time; Stopped on Ctrl-C.
        """
        began = time.monotonic()
        for child in children:
            self.check()
            child.before()
            with self.log_of(child.name).open("ab") as log:
                process = spawn(
                    child.argv,
                    env=child.env,
                    user=child.user,
                    orphaned=child.orphaned,
                    output=log.fileno(),
                )
            self.running.append((child, process))
        waiting = list(children)
        while waiting:
            self.check()
            passed = time.monotonic() - began
            for child in [child for child in waiting if child.ready()]:
                waiting.remove(child)
                self.say(f"  {child.name:<12} ready in {passed:.1f} s")
            for child in waiting:
                if passed > child.ready_within_s:
                    raise Failed(
                        f"{child.name} is not ready after {child.ready_within_s:.0f} s"
                        f"{self._last_words(child.name)}"
                    )
            time.sleep(POLL_S if waiting else 0)
        self.check()

    def step(self, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        """Run a program to its end, its output on ours. Raises Failed where it fails."""
        self.check()
        began = time.monotonic()
        self.say(f"{name} ...")
        process = spawn(argv, env=env)
        try:
            while process.poll() is None:
                self.check()
                time.sleep(POLL_S)
        finally:
            _end(process, signal.SIGTERM, within_s=15)
        if process.returncode != 0:
            raise Failed(f"{name}: ended with code {process.returncode}")
        self.say(f"{name}: {time.monotonic() - began:.1f} s")

    def check(self) -> None:
        """Raises Stopped where we were asked to stop, Failed where a child has ended."""
        if self.asked_to_stop:
            raise Stopped
        for child, process in self.running:
            if process.poll() is not None:
                raise Failed(
                    f"{child.name} ended by itself with code {process.returncode}"
                    f"{self._last_words(child.name)}"
                )

    def watch(self, until: Callable[[], bool] = lambda: False, *, every_s: float = 0.25) -> None:
        """Return once `until` is true. Raises as check() does."""
        while not until():
            self.check()
            time.sleep(every_s)

    def stop(self) -> None:
        """Stop all children, the last started first."""
        while self.running:
            child, process = self.running.pop()
            began = time.monotonic()
            if not _end(process, child.stop_with, within_s=child.stop_within_s):
                self.say(f"  {child.name:<12} killed: it did not stop")
            else:
                self.say(f"  {child.name:<12} stopped in {time.monotonic() - began:.1f} s")

    def _last_words(self, name: str) -> str:
        try:
            lines = self.log_of(name).read_text(errors="replace").splitlines()[-12:]
        except FileNotFoundError:
            lines = []
        return f"; the end of {self.log_of(name)}:\n    " + "\n    ".join(lines)


def _end(process: subprocess.Popen[bytes], number: signal.Signals, *, within_s: float) -> bool:
    """Signal a process and wait; kill it and its group when the time is over.

    Returns whether it went by itself.
    """
    went = True
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            went = False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # what it left in its session
    process.wait()
    return went
