"""The process that renders: what it may take, what it may touch, and that it leaves nothing."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from engagement.families.danmu import DANMU_COMMENTS
from engagement.scope import Window
from reports.build import build
from reports.models import Bundle
from reports.plan import ask_bundle
from reports.render import renderer
from reports.render.renderer import RenderingFailed, Stopped
from tests.background import wait_until
from tests.cast import DAY, DAYS, Cast
from tests.reports import film

ROOT = Path(__file__).resolve().parents[2]
WHOLE = Window(DAY, DAY + timedelta(days=DAYS))


class Run:
    """A request that, read by the process, runs a program there: as if it were taken over."""

    def __init__(self, program: str) -> None:
        self.program = program

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (self.program,)


def said(program: str, check: Callable[[], None] = lambda: None) -> str:
    """How the process answers to the program; it says what it found by raising it."""
    request = pickle.dumps(Run(f"import os, ctypes\n{program}"))
    with pytest.raises(RenderingFailed) as failed:
        renderer._renderer(os.getpid()).render(request, check)
    return str(failed.value)


def pid() -> int:
    renderer.warm()
    process = renderer._renderer(os.getpid())._process
    assert process is not None
    return process.pid


@pytest.fixture
def anew() -> Iterator[None]:
    """A process of the test's own: started under its settings, gone with it."""
    renderer.stop()
    yield
    renderer.stop()


def test_it_makes_the_same_bytes_as_here_and_is_kept_for_the_next(chinese: Any) -> None:
    from tests.reports.conftest import SCOPE

    assert renderer.render(film.REPORT, SCOPE) == chinese.zip.content
    process = pid()
    assert renderer.render(film.REPORT, SCOPE) == chinese.zip.content
    assert pid() == process


@pytest.mark.parametrize(
    "program",
    [
        "open('/etc/passwd').read()",
        f"open({str(ROOT / 'manage.py')!r}).read()",
        f"open({str(ROOT / 'var' / 'secrets' / 'django.key')!r})",
        f"open({str(ROOT / 'reports' / 'x.py')!r}, 'w')",
        f"os.open({str(ROOT / 'reports' / 'build.py')!r}, os.O_RDWR)",
        f"os.remove({str(ROOT / 'reports' / 'build.py')!r})",
        "open(f'/proc/{os.getppid()}/environ', 'rb').read()",
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.getaddrinfo('evil.example', 80)",
        "import socket; socket.socket()",
        "import subprocess; subprocess.run(['true'])",
        "os.system('true')",
        "os.execv('/bin/true', ['true'])",
        "os.fork()",
        "os.kill(os.getppid(), 9)",
        "from urllib.request import urlopen; urlopen('http://127.0.0.1:9/')",
    ],
)
def test_python_in_it_reaches_nothing_outside(program: str) -> None:
    assert said(program).startswith("PermissionError: a report ")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the nets of Linux's kernel")
@pytest.mark.parametrize(
    "call",
    [
        "libc.open(b'/etc/passwd', 0)",
        f"libc.open({str(ROOT / 'manage.py').encode()!r}, 0)",
        f"libc.open({str(ROOT / 'reports' / 'build.py').encode()!r}, 1)",
        "libc.open(f'/proc/{os.getppid()}/environ'.encode(), 0)",
        f"libc.unlink({str(ROOT / 'reports' / 'build.py').encode()!r})",
        "libc.socket(2, 1, 0)",
        "libc.socket(1, 1, 0)",
        "libc.execve(b'/bin/true', 0, 0)",
        "libc.fork()",
        "libc.kill(os.getppid(), 0)",
        "libc.ptrace(16, os.getppid(), 0, 0)",
    ],
)
def test_machine_code_in_it_reaches_nothing_outside(call: str) -> None:
    """What a hole in V8 or in a font library would try: no hook of Python's sees it."""
    answer = said(
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        f"answer = {call}\n"
        "raise ValueError(f'{answer} {ctypes.get_errno()}')"
    )
    assert answer in ("ValueError: -1 13", "ValueError: -1 1")  # EACCES, EPERM


def test_it_has_no_database_and_no_secret(monkeypatch: pytest.MonkeyPatch, anew: None) -> None:
    for name in ("DATABASE_URL", "SECRET_KEY", "REDIS_URL", "EMAIL_URL", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "ZQB-secret")
    assert "ZQB" not in Path(f"/proc/{pid()}/environ").read_text()
    assert "ZQB" not in said("raise ValueError(repr(dict(os.environ)))")
    assert said(
        "from django.conf import settings\nraise ValueError([settings.DATABASES, "
        "settings.SECRET_KEY if settings.is_overridden('SECRET_KEY') else None])"
    ) == "ValueError: [{}, None]"  # fmt: skip


def test_a_report_that_takes_too_long_is_killed_and_the_next_one_is_made(
    settings: Settings, anew: None
) -> None:
    """Case 58."""
    process = pid()
    assert said("raise ValueError('ready')") == "ValueError: ready"
    settings.RENDER_SECONDS = 1
    start = time.monotonic()
    with pytest.raises(Stopped, match="took longer than 1 seconds"):
        renderer._renderer(os.getpid()).render(pickle.dumps(Run("while True: pass")), lambda: None)
    assert time.monotonic() - start < 30
    assert not Path(f"/proc/{process}").exists()
    settings.RENDER_SECONDS = 60
    assert renderer.render(small(), [])


@pytest.mark.parametrize(
    "program",
    ["x = b'x' * (600 << 20)", "x = [b'%d' % n for n in range(10**9)]"],
)
def test_a_report_that_needs_too_much_memory_is_killed_and_the_next_one_is_made(
    program: str, settings: Settings, anew: None
) -> None:
    """Case 58: at once, and little by little."""
    settings.RENDER_MEMORY_MB = 500
    assert said("raise ValueError(1)") == "ValueError: 1"
    process = pid()
    with pytest.raises(Stopped, match="needed more than 500 MB"):
        renderer._renderer(os.getpid()).render(pickle.dumps(Run(program)), lambda: None)
    assert not Path(f"/proc/{process}").exists()
    assert renderer.render(small(), [])


def test_a_process_that_crashes_says_how(anew: None) -> None:
    with pytest.raises(Stopped, match="died \\(signal 11\\)"):
        renderer._renderer(os.getpid()).render(
            pickle.dumps(Run("import ctypes; ctypes.string_at(0)")), lambda: None
        )


def test_what_nobody_wants_any_more_is_ended_at_once(anew: None) -> None:
    process = pid()
    gone = threading.Event()
    threading.Timer(1, gone.set).start()

    def check() -> None:
        if gone.is_set():
            raise ZeroDivisionError

    start = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        renderer._renderer(os.getpid()).render(pickle.dumps(Run("while True: pass")), check)
    assert time.monotonic() - start < 40
    assert not Path(f"/proc/{process}").exists()


def test_a_killed_worker_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    program = (
        "import django, os, pickle, time; django.setup()\n"
        "from reports.render import renderer\n"
        "from tests.reports.test_renderer import Run\n"
        "renderer.warm(); own = renderer._renderer(os.getpid())\n"
        "print(own._process.pid, own._folder, flush=True)\n"
        "own.render(pickle.dumps(Run('while True: pass')), lambda: None)\n"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, stdout=subprocess.PIPE
    ) as worker:
        assert worker.stdout is not None
        child, folder = worker.stdout.readline().decode().split()
        wait_until(lambda: int(Path(f"/proc/{child}/statm").read_text().split()[1]) > 20_000, 60)
        worker.send_signal(signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{child}").exists(), 60)
    renderer.stop()
    renderer.warm()
    assert not Path(folder).exists()


# -- hostile sizes, through the whole of it ------------------------------------------------------


def small() -> Any:
    return replace(film.REPORT, titles=(film.only("danmu"),))


def long_title() -> Any:
    return replace(film.REPORT, titles=(replace(film.only("danmu"), name_zh="永" * 100_000),))


def many_rows() -> Any:
    """50,000 comments."""
    rows = 50_000
    data = {
        "content_second": list(range(rows)),
        "day": [film.WINDOW.since] * rows,
        "text": ["哈哈哈"] * rows,
        "repeats": [3] * rows,
        "likes": [0] * rows,
    }
    comments = film.result(DANMU_COMMENTS, data, ("CN",))
    title = replace(film.FILM, results={**film.FILM.results, "danmu_comments": comments})
    return replace(film.REPORT, titles=(title,))


def huge_page() -> Any:
    wide = replace(film.FILM, runtime_s=10**9)
    return replace(film.REPORT, titles=(wide,))


@pytest.mark.parametrize("report", [long_title, many_rows, huge_page])
def test_hostile_sizes_are_rendered_or_end_in_words(report: Callable[[], Any]) -> None:
    """Case 58: within the limits, and others are unharmed."""
    start = time.monotonic()
    with contextlib.suppress(Stopped, RenderingFailed):  # in words, each of them
        assert renderer.render(report(), [])
    assert time.monotonic() - start < 180
    assert renderer.render(small(), [])


def test_a_bundle_that_passes_its_limits_each_time_has_failed_with_the_reason(
    cast: Cast, storage: Path, settings: Settings, anew: None
) -> None:
    """Case 58: after three tries; another bundle of the same worker is made."""
    bundle = ask_bundle(membership=cast.alice, titles=[cast.film.pk], window=WHOLE, language="en")
    settings.RENDER_SECONDS = 0
    for attempt in (1, 2, 3):
        assert not build(bundle.pk)
        bundle.refresh_from_db()
        assert bundle.attempts == attempt
        assert bundle.problem == "rendering took longer than 0 seconds"
        Bundle.objects.update(due_at=timezone.now())
    assert (bundle.state, bundle.failure) == ("failed", "broken")
    settings.RENDER_SECONDS = 60
    other = ask_bundle(membership=cast.amy, titles=[cast.film.pk], window=WHOLE, language="en")
    assert build(other.pk)


def test_a_bundle_taken_by_another_worker_is_not_rendered_to_its_end(
    cast: Cast, storage: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, anew: None
) -> None:
    """A lost lease ends the process's work, as cancelling does."""
    rendering = threading.Event()

    def without_end(_report: object, _scope: object, check: Callable[[], None]) -> bytes:
        rendering.set()
        return renderer._renderer(os.getpid()).render(pickle.dumps(Run("while 1: pass")), check)

    settings.JOB_LEASE_SECONDS = 0.3
    monkeypatch.setattr("reports.jobs._fenced", lambda *_, **__: not rendering.is_set())
    monkeypatch.setattr("reports.render.renderer.render", without_end)
    bundle = ask_bundle(membership=cast.alice, titles=[cast.film.pk], window=WHOLE, language="en")
    process = pid()
    assert not build(bundle.pk)
    assert not Path(f"/proc/{process}").exists()
    bundle.refresh_from_db()
    assert bundle.state == "running"  # and it is the other's to finish
