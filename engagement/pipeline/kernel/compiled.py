"""What every function of the kernel is compiled by, and where that is kept."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numba.core import config

_HERE = Path(__file__).parent


def _version() -> str:
    """Of the whole kernel: numba looks only at the file of a function, not at what it calls."""
    digest = hashlib.sha256()
    for path in sorted(_HERE.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _place() -> Path | None:
    """Where compiled functions are kept: the first of the usual places that can be written."""
    beside, users = _HERE / "__pycache__", Path("~/.cache/dailies").expanduser()
    for folder in [Path(config.CACHE_DIR)] if config.CACHE_DIR else [beside, users]:
        place = folder / f"kernel-{_version()}"
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(place, os.W_OK):
            return place
    return None


_PLACE = _place()


def compiled(function: Any) -> Any:
    """Compiled once an installation: kept beside the module, else in the user's cache or in
    NUMBA_CACHE_DIR; where nothing can be written, once a process."""
    if _PLACE is None:
        return njit(nogil=True)(function)
    before, config.CACHE_DIR = config.CACHE_DIR, str(_PLACE)
    try:
        return njit(nogil=True, cache=True)(function)
    finally:
        config.CACHE_DIR = before


@compiled
def twice(array: Any) -> Any:
    """A copy with room for twice as much."""
    longer = np.empty(2 * len(array), array.dtype)
    for i in range(len(array)):
        longer[i] = array[i]
    return longer
