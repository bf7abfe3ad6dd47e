"""The background for tests: a mail server that fails on request, a broker, worker processes."""

from __future__ import annotations

import asyncio
import email
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.db import connection

from portal.services import valkey

PROJECT = Path(__file__).resolve().parents[1]


class _Server(SMTP):
    """Tells its mailbox when DATA is said, before any of the message has left."""

    async def smtp_DATA(self, arg: str) -> None:
        told = self.event_handler.told("DATA")
        if told is not None:
            await self.push(told)
            return
        self.event_handler.on_data_command()
        await super().smtp_DATA(arg)


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Server(self.handler, **self.SMTP_kwargs)


class Mailbox:
    """A real SMTP server. `script` holds what it answers to the next messages.

    An answer is a code and words for the end of DATA, `("MAIL", answer)`, `("RCPT", answer)` or
    `("DATA", answer)` for an earlier command, `hang` (take the message and never answer) or `drop`
    (close the line instead).
    """

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.script: deque[Any] = deque()
        self.on_data: Callable[[], None] = lambda: None
        self.on_data_command: Callable[[], None] = lambda: None
        self.controller = _Controller(self, hostname="127.0.0.1", port=_free_port())
        self.controller.start()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.controller.port}"

    @property
    def port(self) -> int:
        return int(self.controller.port)

    def close(self) -> None:
        if self.controller.server is not None:
            self.controller.stop()

    def told(self, command: str) -> str | None:
        """What is to be answered to the command, if it is that command's turn."""
        if self.script and isinstance(self.script[0], tuple) and self.script[0][0] == command:
            return str(self.script.popleft()[1])
        return None

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        told = self.told("MAIL")
        if told is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return told or "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        told = self.told("RCPT")
        if told is not None:
            return told
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.on_data()
        answer = self.script.popleft() if self.script else "250 OK"
        if answer == "drop":
            server.transport.close()
            return "250 OK"
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        if answer == "hang" or answer.startswith("250"):
            self.messages.append(message)
        if answer == "hang":
            await asyncio.sleep(3600)
        return str(answer)

    def of(self, address: str) -> list[EmailMessage]:
        return [m for m in self.messages if m["To"] == address]


class Broker:
    """A Valkey of its own on a socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "valkey.sock"
        self.start()
        self.client = redis.Redis(unix_socket_path=str(self.socket))

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                str(valkey.program()),
                *("--port", "0"),
                *("--unixsocket", str(self.socket)),
                *("--dir", str(self.folder)),
                *("--save", ""),
            ],
            stdout=subprocess.DEVNULL,
        )
        wait_until(lambda: valkey.answers(self.socket), 60)

    @property
    def url(self) -> str:
        return f"unix://{self.socket}?db=0"

    @property
    def celery_url(self) -> str:
        return f"redis+socket://{self.socket}?virtual_host=0"

    def kill(self) -> None:
        """Gone with all it held."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.client.close()
        self.kill()


class Background:
    """Celery processes on the test's own database, broker, storage and mail server."""

    def __init__(self, folder: Path, broker: Broker, mailbox: Mailbox) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        database = connection.settings_dict
        host = database["HOST"] or database["OPTIONS"]["host"]
        port = f"&port={database['PORT']}" if database["PORT"] else ""
        self.environment = {
            **os.environ,
            # the web's login, as in production: the worker has no right of its own
            "DATABASE_URL": f"postgres://dailies_web@/{database['NAME']}?host={quote(str(host))}{port}",
            "DATABASE_LOGIN": "web",
            "PRODUCTION": "0",
            "REDIS_URL": broker.url,
            "EMAIL_URL": mailbox.url,
            "STORAGE_URL": f"file://{folder / 'files'}",
            "AUDIT_ANCHOR": str(folder / "audit" / "anchor.jsonl"),
            "JOB_LEASE_SECONDS": "3",
            "JOB_RING_SECONDS": "4",
            "JOB_BACKOFF_SECONDS": "1",
        }

    def start_worker(self, *options: str) -> subprocess.Popen[bytes]:
        return self._start("worker", "--concurrency", "2", "--without-gossip", *options)

    def start_beat(self) -> subprocess.Popen[bytes]:
        schedule = self.folder / f"beat-{len(self.processes)}"
        return self._start("beat", "--pidfile", "", "--schedule", str(schedule))

    def kill_tree(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL for a process and all its children at once, as from the kernel."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                self.kill_tree(process)

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / "celery.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "portal.celery", *command],
                cwd=PROJECT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process


def wait_until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait for it and return how long that took. Raises AssertionError after `seconds`."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, f"not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - start


def _free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])
