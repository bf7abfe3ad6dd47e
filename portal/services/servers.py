"""The servers of this checkout as one background process, shared by whoever needs them.

`python -m portal.services.servers` is that process. It holds servers.lock while it lives, so
that there is one per checkout. Whoever needs the servers (the demo, a test run) holds a shared
lock on users.lock; when nobody does any more the servers stop by themselves, unless
`make services` asked to keep them (a file `kept`). A server whose URL is set in the environment
belongs to somebody else and is not started.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from portal.services import postgres, valkey
from portal.services.paths import PROJECT, Places
from portal.services.supervisor import Child, Failed, Stopped, Supervisor, say

BROUGHT_BY = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL", "mail": "EMAIL_URL"}
START_WITHIN_S = 180.0
STOP_WITHIN_S = 90.0


@dataclass(frozen=True)
class Locks:
    """The lock files of one checkout. A lock dies with the process that holds it."""

    servers: Path
    users: Path
    demo: Path
    kept: Path
    state: Path

    @classmethod
    def of(cls, places: Places) -> Locks:
        run = places.run
        return cls(
            servers=run / "servers.lock",
            users=run / "users.lock",
            demo=run / "demo.lock",
            kept=run / "kept",
            state=run / "servers.json",
        )


def try_lock(path: Path, kind: int = fcntl.LOCK_EX) -> IO[str] | None:
    """The open, locked file, or None where another process holds it. Closing it unlocks."""
    file = path.open("a+")
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def is_held(path: Path) -> bool:
    """Whether a process holds this lock for itself alone."""
    if not path.exists():
        return False
    file = try_lock(path, fcntl.LOCK_SH)
    if file is None:
        return True
    file.close()
    return False


def sign(file: IO[str], *more: str) -> None:
    """Write our process id, and more, into a lock file that we hold, for who comes later."""
    file.truncate(0)
    file.write(" ".join([str(os.getpid()), *more]) + "\n")
    file.flush()


def signer(path: Path) -> int | None:
    """The process id written in a lock file."""
    try:
        return int(path.read_text().split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None


def wanted() -> list[str]:
    """The servers that nobody brings, in the order in which they start."""
    return [name for name, setting in BROUGHT_BY.items() if not os.environ.get(setting)]


def mail_child(places: Places) -> Child:
    """The mail catcher; ready when it has written anew which port it took."""

    def written() -> tuple[int, int]:
        try:
            found = places.mail_port_file.stat()
        except FileNotFoundError:
            return (0, 0)
        return (found.st_ino, found.st_mtime_ns)

    last = written()

    def ready() -> bool:
        return written() != last

    return Child(
        name="mail",
        argv=[
            sys.executable,
            *("-m", "portal.services.mailbox"),
            *(str(places.mail), str(places.mail_port_file)),
        ],
        ready=ready,
    )


MAKERS: dict[str, Callable[[Places], Child]] = {
    "postgres": postgres.child,
    "valkey": valkey.child,
    "mail": mail_child,
}


def state(places: Places) -> dict[str, object] | None:
    """What the running servers say of themselves, or None where none run (or not yet)."""
    locks = Locks.of(places)
    if not is_held(locks.servers):
        return None
    try:
        found = json.loads(locks.state.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return dict(found)


def run_servers(places: Places) -> int:
    """Be the servers' process: start, keep, stop. Returns the exit code."""
    places.make()
    locks = Locks.of(places)
    mine = None
    for _ in range(40):  # somebody who only looks holds the lock for a moment
        mine = try_lock(locks.servers)
        if mine is not None:
            break
        time.sleep(0.05)
    if mine is None:
        say("the servers of this checkout run already")
        return 0
    sign(mine)
    locks.state.unlink(missing_ok=True)
    last_user: IO[str] | None = None

    def unused() -> bool:
        nonlocal last_user
        if locks.kept.exists():
            return False
        last_user = try_lock(locks.users)  # held until we are down: who comes now waits
        return last_user is not None

    try:
        with Supervisor(places.log) as supervisor:
            for name in wanted():
                supervisor.start(MAKERS[name](places))
            written = locks.state.with_suffix(".part")
            written.write_text(
                json.dumps(
                    {
                        "pid": os.getpid(),
                        "since": f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %Z}",
                        "pids": supervisor.pids,
                    }
                )
            )
            written.rename(locks.state)
            say("ready")
            supervisor.watch(unused, every_s=0.5)
    except Stopped:
        return 0
    except Failed as failure:
        say(f"the servers stopped: {failure}")
        return 1
    finally:
        locks.state.unlink(missing_ok=True)
        if last_user is not None:
            last_user.close()
        mine.close()
    return 0


@contextlib.contextmanager
def in_use(places: Places, *, say: Callable[[str], None] = say) -> Iterator[None]:
    """Have the servers for the length of a block: those that run, or started for it.

    Raises Failed where they do not start.
    """
    places.make()
    locks = Locks.of(places)
    user = try_lock(locks.users, fcntl.LOCK_SH)
    if user is None:
        say("waiting for the servers of this checkout to stop ...")
        user = locks.users.open("a+")
        fcntl.flock(user, fcntl.LOCK_SH)
    started = None
    try:
        running = state(places)
        if running is not None:
            say(f"using the servers of this checkout, running since {running['since']}")
        else:
            started = start(places, say=say)
        yield
    finally:
        user.close()
        if started is not None and not locks.kept.exists():
            _wait_for_the_end(places, started, say=say)


def start(places: Places, *, say: Callable[[str], None] = say) -> subprocess.Popen[bytes]:
    """Start the servers' process in the background and wait until it is ready, telling how."""
    log = places.log / "servers.log"
    with log.open("ab") as output:
        seen = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "portal.services.servers"],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    say(f"starting the servers of this checkout ({', '.join(wanted()) or 'none: all are brought'})")
    deadline = time.monotonic() + START_WITHIN_S
    while True:
        ended = process.poll() is not None
        is_ready = state(places) is not None
        with log.open("rb") as output:
            output.seek(seen)
            text = output.read()
        whole = text[: text.rfind(b"\n") + 1]
        seen += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            if line != "ready":
                say(line)
        if is_ready:
            return process
        if ended and not is_held(Locks.of(places).servers):
            raise Failed(f"the servers did not start; see {log}")
        if time.monotonic() > deadline:
            raise Failed(f"the servers are not ready after {START_WITHIN_S:.0f} s; see {log}")
        time.sleep(0.05)


def _wait_for_the_end(
    places: Places, process: subprocess.Popen[bytes], *, say: Callable[[str], None]
) -> None:
    """Wait until the servers have stopped, or say that others still use them."""
    locks = Locks.of(places)
    deadline = time.monotonic() + STOP_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        if locks.kept.exists():
            return
        alone = try_lock(locks.users)
        if alone is not None:
            alone.close()
        elif state(places) is not None and not _stopping(places):
            say("the servers stay up: another command of this checkout uses them")
            return
        time.sleep(0.1)


def _stopping(places: Places) -> bool:
    """Whether the one who holds users.lock is the servers' process itself, on its way out."""
    probe = try_lock(Locks.of(places).users, fcntl.LOCK_SH)
    if probe is None:
        return True
    probe.close()
    return False


def stop(places: Places, *, say: Callable[[str], None] = say) -> bool:
    """Stop the demo and the servers of this checkout. Returns whether anything ran."""
    locks = Locks.of(places)
    locks.kept.unlink(missing_ok=True)
    ran = False
    for name, lock in (("demo", locks.demo), ("servers", locks.servers)):
        if not is_held(lock):
            continue
        ran = True
        pid = signer(lock)
        say(f"stopping the {name} (process {pid}) ...")
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_WITHIN_S
        while is_held(lock):
            if time.monotonic() > deadline:
                raise Failed(f"the {name} did not stop within {STOP_WITHIN_S:.0f} s")
            time.sleep(0.1)
    return ran


def main() -> int:
    return run_servers(Places.here())


if __name__ == "__main__":
    sys.exit(main())
