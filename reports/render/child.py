"""The process that renders: a report in, its files out, and nothing else of the house in reach.

Started by renderer.py, kept for the next report, killed when it takes too long or too much. It
has no database, no secret in its environment, no network and no file but the report's own assets
(confine.py). A request is a pickle of the worker's; the answer is plain bytes, since a pickle
from here could run in the worker whatever it liked.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import struct
import sys
import sysconfig
from pathlib import Path
from typing import Any, BinaryIO

ROOT = Path(__file__).resolve().parents[2]
HEAD = struct.Struct("=BQ")
"""Before each message: its kind and its length."""
READY, FILES, FAILED = 0, 1, 2

_LARGEST_FILE = 256 * 1024 * 1024
_RESERVED_BY_V8 = 512 * 1024 * 1024
"""Counted as memory by the kernel, though hardly any is in use: the worker watches that."""
_SYSTEM = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share", "/etc/fonts"),
    *("/etc/ld.so.cache", "/etc/localtime", "/dev/null", "/dev/urandom", "/sys/devices/system/cpu"),
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/self", "/opt/homebrew/lib", "/System/Library"),
)
_OURS = ("reports", "engagement", "templates/report")
_ASSETS = ("static/report", "static/charts", "static/vendor", "node_modules/echarts/dist", "locale")


def main() -> None:
    requests, answers = _pipes()
    told = json.loads(sys.argv[1])
    _limit(told["memory"])
    from reports.render.confine import confine, die_with

    die_with(told["parent"])
    _configure(told)
    from reports.render.bundle import build_bundle

    folders = [ROOT / name for name in (*_OURS, *_ASSETS)]
    folders += [Path(p) for p in (sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib"))]
    folders += [Path(p) for p in (*_SYSTEM, *sys.path) if p and Path(p).resolve() != ROOT]
    missing = confine([*folders, Path(told["var"]) / "fonts"], Path(os.environ["TMPDIR"]))
    _warm()
    _send(answers, READY, json.dumps(missing).encode())
    while (request := _receive(requests)) is not None:
        try:
            report, scope = pickle.loads(request)
            _send(answers, FILES, build_bundle(report, scope).zip.content)
        except MemoryError:
            _send(answers, FAILED, json.dumps(["MemoryError", ""]).encode())
            return
        except Exception as problem:
            said = [type(problem).__name__, str(problem)[:2000]]
            _send(answers, FAILED, json.dumps(said).encode())


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes to the worker; whatever else writes to standard output goes to its log."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return requests, answers


def _limit(memory: int) -> None:
    """The kernel's share of the limits: the worker watches time and memory in use besides."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE, _LARGEST_FILE))
    if sys.platform.startswith("linux"):  # not the address space, of which V8 reserves gigabytes
        most = memory + _RESERVED_BY_V8
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _configure(told: dict[str, Any]) -> None:
    """Settings without a database, a secret or an app: what rendering itself asks for."""
    import django
    from django.conf import settings

    settings.configure(
        VAR=Path(told["var"]),
        USE_TZ=True,
        TIME_ZONE=told["time_zone"],
        LANGUAGE_CODE="zh-hans",
        LANGUAGES=[(code, code) for code in told["languages"]],
        LOCALE_PATHS=[ROOT / "locale"],
        LOGGING_CONFIG=None,
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [ROOT / "templates"],
                "OPTIONS": {"autoescape": True},
            }
        ],
    )
    django.setup()


def _warm() -> None:
    """What the first report would wait for."""
    from reports.charts import engine

    engine.engine()


def _receive(pipe: BinaryIO) -> bytes | None:
    head = pipe.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    return pipe.read(HEAD.unpack(head)[1])


def _send(pipe: BinaryIO, kind: int, content: bytes) -> None:
    pipe.write(HEAD.pack(kind, len(content)))
    pipe.write(content)
    pipe.flush()


if __name__ == "__main__":
    main()
