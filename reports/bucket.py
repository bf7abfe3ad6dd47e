"""An S3 bucket to store files in: loaded only where STORAGE_URL names one."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, BinaryIO

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

PIECE = 1024 * 1024
"""Bytes that one request reads: no connection is held open while a reader is slow."""

_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}\.\w+")


class Bucket(S3Storage):
    """A bucket, or what lies below a prefix of one. Only names of ours are ever looked at."""

    def __init__(self, **options: Any) -> None:
        options.setdefault(
            "client_config",
            Config(
                connect_timeout=5,
                read_timeout=30,
                retries={"mode": "standard", "max_attempts": 3},
                s3={"addressing_style": options.pop("addressing_style", "auto")},
                signature_version="s3v4",
            ),
        )
        super().__init__(querystring_auth=True, default_acl=None, **options)

    def put(self, name: str, content: bytes) -> None:
        """In one request, which S3 takes whole or not at all, and checks by the SHA-256."""
        digest = b64encode(hashlib.sha256(content).digest()).decode()
        with _as_os_errors(name):
            self._client.put_object(
                **self._at(name),
                Body=content,
                ContentLength=len(content),
                ContentType="application/zip",
                ChecksumSHA256=digest,
            )

    def reader(self, name: str) -> BinaryIO:
        with _as_os_errors(name):
            found = self._client.head_object(**self._at(name))
        return io.BufferedReader(_Pieces(self, name, found["ContentLength"]), PIECE)

    def discard(self, name: str) -> None:
        with _as_os_errors(name):
            self._client.delete_object(**self._at(name))

    def listed(self) -> Iterator[tuple[str, float]]:
        """By the bucket's clock."""
        root = self._key("")
        with _as_os_errors(root):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket_name, Prefix=root
            )
            for page in pages:
                for found in page.get("Contents", ()):
                    name = found["Key"][len(root) :]
                    if _NAME.fullmatch(name):
                        yield name, found["LastModified"].timestamp()

    def piece(self, name: str, first: int, last: int) -> bytes:
        """The bytes [first, last], both counted."""
        with _as_os_errors(name):
            found = self._client.get_object(**self._at(name), Range=f"bytes={first}-{last}")
            content: bytes = found["Body"].read()
        return content

    @property
    def _client(self) -> Any:
        return self.connection.meta.client

    def _at(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket_name, "Key": self._key(name)}

    def _key(self, name: str) -> str:
        return f"{self.location}/{name}" if self.location else name


class _Pieces(io.RawIOBase):
    """A stored object as a file that can be read and sought in, each read a request of its own."""

    def __init__(self, bucket: Bucket, name: str, size: int) -> None:
        self.bucket, self.name, self.size, self.at = bucket, name, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence]
        self.at = max(0, base + offset)
        return self.at

    def readinto(self, buffer: Any) -> int:
        last = min(self.at + len(buffer), self.size) - 1
        if last < self.at:
            return 0
        content = self.bucket.piece(self.name, self.at, last)
        if len(content) != last - self.at + 1:
            raise OSError(f"{self.name}: {len(content)} bytes where {last - self.at + 1} were due")
        buffer[: len(content)] = content
        self.at += len(content)
        return len(content)


@contextlib.contextmanager
def _as_os_errors(name: str) -> Iterator[None]:
    """What a disk would say: there is no such file, or it cannot be reached now."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in ("404", "NoSuchKey", "NotFound"):
            raise FileNotFoundError(name) from None
        raise OSError(f"S3 refuses {name}: {code}") from error
    except BotoCoreError as error:
        raise OSError(f"S3 cannot be reached for {name}: {type(error).__name__}") from error
