"""STORAGE_URL as the storage that it names: file:///a/folder or s3://bucket/prefix?region=...

Read with the settings, so it knows nothing of the site.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

FOLDER, BUCKET = "reports.stores.Folder", "reports.bucket.Bucket"
_LOCAL = ("localhost", "127.0.0.1", "::1")
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*")
_ADDRESSING = ("auto", "path", "virtual")


class BadStorageUrl(ValueError):
    """What is wrong with it, in words; never its text, which may hold a secret."""


def storage_of(url: str) -> dict[str, Any]:
    """The entry of STORAGES. Raises BadStorageUrl."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise BadStorageUrl("It is no URL.") from None
    if parts.scheme == "file":
        _folder(url)
        return {"BACKEND": FOLDER}  # it is told where by STORAGE_ROOT
    if parts.scheme != "s3":
        raise BadStorageUrl("It is neither file:// nor s3://.")
    if "@" in parts.netloc:
        raise BadStorageUrl("It holds credentials; they are read from the environment.")
    if not _BUCKET_NAME.fullmatch(parts.netloc):
        raise BadStorageUrl("It names no bucket.")
    prefix = parts.path.strip("/")
    if prefix and (not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/"))):
        raise BadStorageUrl("Its prefix is none.")
    return {
        "BACKEND": BUCKET,
        "OPTIONS": {"bucket_name": parts.netloc, "location": prefix, **_options(parts.query)},
    }


def folder_of(url: str) -> Path | None:
    """The folder that it names, if it does."""
    return None if url.startswith("s3://") else Path(url.removeprefix("file://"))


def _folder(url: str) -> Path:
    path = Path(url.removeprefix("file://"))
    if not path.is_absolute():
        raise BadStorageUrl("It is not an absolute folder.")
    return path


def _options(query: str) -> dict[str, str]:
    names = {"region": "region_name", "endpoint": "endpoint_url", "addressing": "addressing_style"}
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in names:
            raise BadStorageUrl(f"It has {name!r}, which is none of {', '.join(names)}.")
        options[names[name]] = value
    if options.get("addressing_style", "auto") not in _ADDRESSING:
        raise BadStorageUrl(f"Its addressing is none of {', '.join(_ADDRESSING)}.")
    endpoint = options.get("endpoint_url")
    if endpoint is not None:
        where = urlsplit(endpoint)
        if where.scheme not in ("http", "https") or not where.hostname:
            raise BadStorageUrl("Its endpoint is no http(s) address.")
        if where.scheme == "http" and where.hostname not in _LOCAL:
            raise BadStorageUrl("Its endpoint is not https, and not on this machine.")
    return options
