"""Zips that are the same bytes for the same members, and one made from another without packing
again what both hold.
"""

from __future__ import annotations

import hashlib
import io
import struct
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say; the bundle's date is in the manifest
_MODE = 0o100644 << 16
_LEVEL = 6
_PACKED_ALREADY = (".pdf", ".xlsx", ".parquet")
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_UTF_8 = 0x800


@dataclass(frozen=True)
class File:
    """One member of a zip, or the zip itself."""

    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def zipped(members: Iterable[File]) -> bytes:
    """The members as a zip: fixed dates and modes, what is packed already stored as it is.

    Raises ValueError where two members have one name, or names that one disk takes for one.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member in _each_once(members):
            _write(archive, member)
    return out.getvalue()


def rezipped(source: bytes, replaced: Iterable[File]) -> bytes:
    """A zip of `zipped` with these members in the place of its own of the same names.

    All others are copied as they lie in it, packed. Equals `zipped` of the resulting members.
    Raises ValueError for a member that the source does not have.
    """
    changed = {file.name: file for file in replaced}
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(source)) as old, zipfile.ZipFile(out, "w") as new:
        if strange := sorted(changed.keys() - set(old.namelist())):
            raise ValueError(f"not in the zip: {', '.join(strange)}")
        for info in old.infolist():
            if info.filename in changed:
                _write(new, changed[info.filename])
            else:
                _copy(source, info, new, out)
    return out.getvalue()


def unzipped(source: bytes) -> Iterator[File]:
    """The members of a zip of ours."""
    with zipfile.ZipFile(io.BytesIO(source)) as archive:
        for name in archive.namelist():
            yield File(name, archive.read(name))


def _write(archive: zipfile.ZipFile, member: File) -> None:
    info = zipfile.ZipInfo(member.name, _EPOCH)
    info.create_system = 3
    info.external_attr = _MODE
    stored = member.name.endswith(_PACKED_ALREADY)
    info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    archive.writestr(info, member.content, compresslevel=None if stored else _LEVEL)


def _copy(source: bytes, info: zipfile.ZipInfo, new: zipfile.ZipFile, out: io.BytesIO) -> None:
    """One member as it lies in the source: its header, its name and its packed bytes."""
    header = _LOCAL_HEADER.unpack_from(source, info.header_offset)
    length = _LOCAL_HEADER.size + header[9] + header[10] + info.compress_size
    at = new.start_dir
    out.seek(at)
    out.write(memoryview(source)[info.header_offset : info.header_offset + length])
    info.header_offset = at
    new.filelist.append(info)
    new.NameToInfo[info.filename] = info
    new.start_dir = out.tell()
    new._didModify = True  # type: ignore[attr-defined]


def _each_once(members: Iterable[File]) -> Iterator[File]:
    seen: set[str] = set()
    for member in members:
        key = unicodedata.normalize("NFC", member.name).casefold()
        if key in seen:
            raise ValueError(f"two files called {member.name}")
        seen.add(key)
        yield member
