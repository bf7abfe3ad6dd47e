"""Where this checkout keeps its private servers' sockets."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

_SOCKET_PATH_LIMIT = 107  # bytes, of sun_path
_LONGEST_NAME = "/.s.PGSQL.5432.lock"


def var() -> Path:
    project = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("DAILIES_VAR", project / "var"))


def socket_dir() -> Path:
    """A short folder for the sockets: var/run, or a private one where that path is too long."""
    folder = var() / "run"
    if len(os.fsencode(str(folder) + _LONGEST_NAME)) <= _SOCKET_PATH_LIMIT:
        return folder
    key = hashlib.sha256(os.fsencode(str(var()))).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"dailies-{os.getuid()}-{key}"
