"""Where the private servers of this checkout keep their files and sockets.

Everything lies in DAILIES_VAR, or in <project>/var, so that two checkouts never meet. Only
the sockets may lie elsewhere: their paths have a limit that a long checkout path passes.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

POSTGRES_PORT = 5432
"""Part of the socket's file name only: nothing listens on TCP."""

POSTGRES_SOCKET = f".s.PGSQL.{POSTGRES_PORT}"
VALKEY_SOCKET = "valkey.sock"

SOCKET_PATH_LIMIT = 107
"""Bytes that fit in sockaddr_un.sun_path beside its closing NUL (unix(7))."""


def var_dir() -> Path:
    """The folder of everything this checkout keeps: DAILIES_VAR, or <project>/var."""
    return Path(os.path.abspath(PROJECT / (os.environ.get("DAILIES_VAR") or "var")))


@dataclass(frozen=True)
class Places:
    """The files and folders of one checkout's servers."""

    var: Path

    @classmethod
    def here(cls) -> Places:
        return cls(var_dir())

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits that name this checkout outside of it."""
        return hashlib.sha256(os.fsencode(self.var)).hexdigest()[:16]

    @property
    def run(self) -> Path:
        return self.var / "run"

    @property
    def log(self) -> Path:
        return self.var / "log"

    @property
    def mail(self) -> Path:
        return self.var / "mail"

    @property
    def fonts(self) -> Path:
        return self.var / "fonts"

    @property
    def outside(self) -> Path:
        """A lasting folder outside of the checkout, for a root without user namespaces."""
        return Path("/var/tmp") / f"dailies-{self.key}"

    @property
    def sockets_elsewhere(self) -> Path:
        """A file that names the folder of the sockets where it is not the usual one."""
        return self.run / "sockets"

    @property
    def sockets(self) -> Path:
        """The folder of the sockets: var/run, or one that is short enough or reachable."""
        try:
            return Path(self.sockets_elsewhere.read_text().strip())
        except FileNotFoundError:
            pass
        if len(os.fsencode(self.run / POSTGRES_SOCKET)) <= SOCKET_PATH_LIMIT:
            return self.run
        return Path(tempfile.gettempdir()) / f"dailies-{self.key}"

    @property
    def postgres_socket(self) -> Path:
        return self.sockets / POSTGRES_SOCKET

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / VALKEY_SOCKET

    @property
    def mail_port_file(self) -> Path:
        return self.run / "mail.port"

    def mail_port(self) -> int | None:
        """The loopback port of the mail catcher, or None where none has run yet."""
        try:
            return int(self.mail_port_file.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def make(self) -> None:
        """Create the folders. Raises PermissionError where the socket folder is a stranger's."""
        for folder in (self.run, self.log, self.mail):
            folder.mkdir(parents=True, exist_ok=True)
        self.run.chmod(0o700)
        if self.sockets != self.run:
            make_private(self.sockets)


def make_private(folder: Path) -> None:
    """Create a folder of mode 0700, or check that the one there is ours and no link.

    The temporary folder is everyone's: who makes the folder first would read the sockets.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid in (os.geteuid(), _nobody())
        if not ours:
            raise PermissionError(f"{folder} belongs to somebody else: remove it") from None
        folder.chmod(0o700)


def _nobody() -> int:
    """The uid that a root without user namespaces runs PostgreSQL as; nobody else's folder."""
    if os.geteuid() != 0:
        return os.geteuid()
    import pwd

    return pwd.getpwnam("nobody").pw_uid


def socket_dir() -> Path:
    """The folder in which this checkout's PostgreSQL and Valkey have their sockets."""
    return Places.here().sockets
