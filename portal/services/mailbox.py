"""A mail server that delivers nothing: every mail it takes becomes a file in var/mail.

Run as `python -m portal.services.mailbox FOLDER PORT_FILE`. It takes the port named in the
port file where that is free, so that programs started earlier still find it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

LARGEST_MAIL = 64 * 1024 * 1024


class Keeper:
    """Writes each mail as one .eml file, whole or not at all, the envelope as two headers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = itertools.count(1)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        now = datetime.now(UTC)
        name = f"{now:%Y%m%dT%H%M%S}.{now.microsecond:06d}-{os.getpid()}-{next(self.count):05d}.eml"
        content = envelope.original_content or b""
        head = f"X-Envelope-From: {envelope.mail_from}\r\n" + "".join(
            f"X-Envelope-To: {recipient}\r\n" for recipient in envelope.rcpt_tos
        )
        part = self.folder / f".{name}.part"
        part.write_bytes(head.encode() + content)
        part.rename(self.folder / name)
        return "250 OK"


def listen(port_file: Path) -> socket.socket:
    """A listening loopback socket, on the port of the last time where it is free."""
    try:
        last = int(port_file.read_text())
    except (FileNotFoundError, ValueError):
        last = 0
    for port in (last, 0):
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind(("127.0.0.1", port))
        except OSError:
            line.close()
            continue
        line.listen()
        return line
    raise OSError("no free port on 127.0.0.1")


async def serve(folder: Path, port_file: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    keeper = Keeper(folder)
    loop = asyncio.get_running_loop()
    line = listen(port_file)
    server = await loop.create_server(
        lambda: SMTP(keeper, data_size_limit=LARGEST_MAIL, enable_SMTPUTF8=True), sock=line
    )
    part = port_file.with_suffix(".part")
    part.write_text(f"{line.getsockname()[1]}\n")
    part.rename(port_file)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    server.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
