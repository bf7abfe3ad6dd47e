"""Rendering in a process of its own, under limits: the worker's side of child.py.

One such process is kept for a worker and renders one report at a time. Where a report takes
longer or more than it may, or nobody wants it any more, the process is killed; the next report
gets a new one.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import pickle
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from reports.render.child import FAILED, FILES, HEAD, ROOT
from reports.render.document import Report

log = logging.getLogger(__name__)

_BEAT_S = 0.05
_CHUNK = 1 << 20
_FOLDER = "dailies-render-"


class Stopped(RuntimeError):
    """The process was killed, or died: of a limit, or by itself. In words for staff."""


class RenderingFailed(RuntimeError):
    """The report cannot be rendered, for the reason given by the process."""


def render(report: Report, scope: Any, check: Callable[[], None] = lambda: None) -> bytes:
    """The zip that `build_bundle` makes of the report, made in the process apart.

    `check` is called while it works, many times a second: what that raises ends the work, and is
    raised here. Raises Stopped and RenderingFailed.
    """
    return _renderer(os.getpid()).render(pickle.dumps((report, scope), protocol=5), check)


def warm() -> None:
    """Start this worker's process now, so that it is ready when the first report comes."""
    _renderer(os.getpid()).start()


def stop() -> None:
    """End this worker's process; the next report starts another."""
    _renderer(os.getpid()).stop()


@cache
def _renderer(_pid: int) -> _Renderer:
    """A forked worker has one of its own."""
    renderer = _Renderer()
    atexit.register(renderer.stop)
    return renderer


class _Renderer:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: str | None = None

    def render(self, request: bytes, check: Callable[[], None]) -> bytes:
        with self._lock:
            process = self._started()
            try:
                kind, content = self._exchange(process, request, check)
            except BaseException:  # the worker's own time limit too
                self._end()
                raise
            if kind == FILES:
                self._end_if_swollen(process)
                return content
        name, said = json.loads(content)
        if name == "MemoryError":
            self.stop()
            raise Stopped(_too_much())
        raise RenderingFailed(f"{name}: {said}")

    def start(self) -> None:
        with self._lock:
            self._started()

    def stop(self) -> None:
        with self._lock:
            self._end()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        _clear_up()
        self._folder = tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-")
        told = {
            "parent": os.getpid(),
            "memory": settings.RENDER_MEMORY_MB << 20,
            "var": str(settings.VAR),
            "time_zone": settings.TIME_ZONE,
            "languages": [code for code, _name in settings.LANGUAGES],
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "reports.render.child", json.dumps(told)],
            cwd=ROOT,
            env=_environment(self._folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._ready = False
        return self._process

    def _exchange(
        self, process: subprocess.Popen[bytes], request: bytes, check: Callable[[], None]
    ) -> tuple[int, bytes]:
        watch = _Watch(process, check)
        if not self._ready:
            _kind, missing = watch.receive()
            if lacking := json.loads(missing):
                log.warning("reports are rendered without %s", " and ".join(lacking))
            self._ready = True
            watch.restart()
        watch.send(HEAD.pack(0, len(request)))
        watch.send(request)
        return watch.receive()

    def _end_if_swollen(self, process: subprocess.Popen[bytes]) -> None:
        """One that kept much of its memory would leave too little for the next report."""
        if _resident(process.pid) > settings.RENDER_MEMORY_MB << 19:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


class _Watch:
    """The pipes of one exchange, with the limits looked at while they are waited for."""

    def __init__(self, process: subprocess.Popen[bytes], check: Callable[[], None]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._check = process, check
        self._in, self._out = process.stdin.fileno(), process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self.restart()

    def restart(self) -> None:
        self._until = time.monotonic() + settings.RENDER_SECONDS

    def send(self, content: bytes) -> None:
        left = memoryview(content)
        while left:
            self._wait(self._in, select.POLLOUT)
            try:
                left = left[os.write(self._in, left[:_CHUNK]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._died() from None

    def receive(self) -> tuple[int, bytes]:
        kind, length = HEAD.unpack(self._read(HEAD.size))
        if length > settings.RENDER_MEMORY_MB << 20 or kind > FAILED:
            raise Stopped("the process that renders answered nonsense")
        return kind, self._read(length)

    def _read(self, length: int) -> bytes:
        found = bytearray()
        while len(found) < length:
            self._wait(self._out, select.POLLIN)
            try:
                part = os.read(self._out, min(_CHUNK, length - len(found)))
            except BlockingIOError:
                continue
            if not part:
                raise self._died()
            found += part
        return bytes(found)

    def _wait(self, descriptor: int, event: int) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        while True:
            self._check()
            if time.monotonic() > self._until:
                raise Stopped(f"rendering took longer than {settings.RENDER_SECONDS} seconds")
            if _resident(self._process.pid) > settings.RENDER_MEMORY_MB << 20:
                raise Stopped(_too_much())
            if poll.poll(_BEAT_S * 1000):
                return

    def _died(self) -> Stopped:
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            code = 0
        how = f"signal {-code}" if code < 0 else f"exit {code}"
        return Stopped(f"the process that renders died ({how})")


def _too_much() -> str:
    return f"rendering needed more than {settings.RENDER_MEMORY_MB} MB of memory"


def _environment(folder: str) -> dict[str, str]:
    """Nothing of the worker's: no address of a database, no key, no proxy."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {
        **kept,
        "LANG": "C.UTF-8",
        "TMPDIR": folder,
        "XDG_CACHE_HOME": folder,  # fontconfig's list of the machine's fonts
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }


def _resident(pid: int) -> int:
    """Bytes of memory in use; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _clear_up() -> None:
    """Remove the folders of workers that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        worker = folder.name.removeprefix(_FOLDER).partition("-")[0]
        if worker.isdecimal() and not _is_alive(int(worker)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
