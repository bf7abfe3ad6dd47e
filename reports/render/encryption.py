"""A finished PDF encrypted for its reader: AES-256 under the reader's own password (ISO 32000-2,
7.6, revision 6), in the owner's place a random one that nobody keeps.

A report is encrypted once for each recipient, so this reads no more of a file than it must: the
streams are copied as they are packed, each under a vector of its own, and the plain objects go
into one packed stream that is encrypted as a whole. It knows the files that `pdf.finish` writes
and `stamp.stamped` adds to, and refuses others. Reading aloud, copying and printing stay allowed,
changes do not. Random by nature: the hash that is the same each time is that of the PDF before.
"""

from __future__ import annotations

import hashlib
import io
import re
import secrets
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pikepdf
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

_HEADER = b"%PDF-1.7\n%\xbf\xf7\xa2\xfe\n"
_EXTENSION = b"/Extensions <</ADBE <</BaseVersion /1.7 /ExtensionLevel 8>>>>"
_FORBIDDEN = 1 << 3 | 1 << 5 | 1 << 8 | 1 << 10  # change, annotate, fill in, assemble
_ALLOWED = -4 & ~_FORBIDDEN  # the two lowest bits are reserved (table 22)
_BLOCK = 16
_MORE = 3  # objects: the packed stream, the handler, the table
_LONGEST_PASSWORD = 127  # bytes
_HEAD = re.compile(rb"(\d+) 0 obj\s")
_STREAM = re.compile(rb"\s*(<<.*?>>)\s*stream\r?\n", re.DOTALL)
_LENGTH = re.compile(rb"/Length (\d+)(?! \d+ R)")


class NotOurs(ValueError):
    """A PDF of a form that our own never have."""


_ROW = np.dtype([("kind", "u1"), ("at", ">u4"), ("index", ">u2")])
"""An object's line in the table: free; at a place in the file; or in the stream of that number
(ISO 32000-1, 7.5.8)."""
_FREE, _PLAIN, _PACKED = range(3)


def encrypted(pdf: bytes, password: str) -> bytes:
    """The PDF, opened by the password alone. Raises NotOurs."""
    table, trailer = _read(pdf)
    writer = _Writer(secrets.token_bytes(32), table)
    plain: list[tuple[int, bytes]] = []
    for number in np.flatnonzero(table["kind"] == _PLAIN).tolist():
        if number == trailer.root:
            continue
        head, body = _object(pdf, number, int(table["at"][number]))
        if body is None:
            plain.append((number, head))
        elif b"/Type /XRef" in head:
            table[number] = (_FREE, 0, 0)
        else:
            writer.put_stream(number, head, body)
    writer.put(trailer.root, _catalogue(pdf, writer))
    packed, handler, end = range(trailer.size, trailer.size + _MORE)
    writer.pack(packed, plain)
    writer.put(handler, _handler(writer.key, password.encode()[:_LONGEST_PASSWORD]))
    about = f"/Root {trailer.root} 0 R /Info {trailer.info} 0 R /Encrypt {handler} 0 R"
    return writer.finished(end, about.encode() + b" /ID " + trailer.identity)


# -- reading ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Trailer:
    size: int
    root: int
    info: int
    identity: bytes  # the array, as it is written


def _read(pdf: bytes) -> tuple[np.ndarray, _Trailer]:
    """The newest line of each object, with room for more, and what the newest trailer says."""
    found = re.search(rb"startxref\s+(\d+)\s+%%EOF\s*\Z", pdf[-1024:])
    at = int(_told(found, "the place of its table"))
    older, newest = [], None
    while True:
        number = int(_told(_HEAD.match(pdf, at), "a table"))
        head, body = _object(pdf, number, at)
        if body is None or b"/Type /XRef" not in head or b"/Encrypt" in head:
            raise NotOurs("the PDF has a table that is no plain stream")
        newest = newest or _trailer(head)
        older.append((head, body))
        previous = re.search(rb"/Prev (\d+)", head)
        if previous is None:
            break
        at = int(previous[1])
    table = np.zeros(newest.size + _MORE, _ROW)
    for head, body in reversed(older):
        _take(table, head, body)
    return table, newest


def _trailer(head: bytes) -> _Trailer:
    def number(pattern: bytes) -> int:
        return int(_told(re.search(pattern, head), pattern.decode()))

    return _Trailer(
        size=number(rb"/Size (\d+)"),
        root=number(rb"/Root (\d+) 0 R"),
        info=number(rb"/Info (\d+) 0 R"),
        identity=_told(re.search(rb"/ID (\[[^\]]*\])", head), "/ID"),
    )


def _take(table: np.ndarray, head: bytes, body: bytes) -> None:
    """The lines of one of the file's tables over those of older ones."""
    widths = [int(n) for n in _told(re.search(rb"/W \[([\d ]+)\]", head), "/W").split()]
    packed = zlib.decompress(body) if b"/FlateDecode" in head else body
    is_filtered = b"/Predictor" in head
    rows = np.frombuffer(packed, np.uint8).reshape(-1, sum(widths) + is_filtered)
    if is_filtered:  # differences to the row above, after a byte that says so (PNG's filter 2)
        if (rows[:, 0] != 2).any():
            raise NotOurs("the PDF's table is filtered in a way that is not known")
        rows = np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8)
    index = re.search(rb"/Index \[([\d ]+)\]", head)
    runs = [int(n) for n in index[1].split()] if index else [0, len(rows)]
    pairs = zip(runs[::2], runs[1::2], strict=True)
    numbers = np.concatenate([np.arange(first, first + count) for first, count in pairs])
    for name, last, width in zip(_ROW.names or (), np.cumsum(widths), widths, strict=True):
        value = np.zeros(len(rows), np.int64)
        for column in range(last - width, last):
            value = value << 8 | rows[:, column]
        table[name][numbers] = value


def _object(pdf: bytes, number: int, at: int) -> tuple[bytes, bytes | None]:
    """The object's own text and, of a stream, what is in it."""
    begins = _HEAD.match(pdf, at)
    if begins is None or int(begins[1]) != number:
        raise NotOurs(f"the PDF has no object {number} at {at}")
    found = _STREAM.match(pdf, begins.end())
    ends = pdf.find(b"endobj", begins.end())
    if found is None or found.end() > ends:
        return pdf[begins.end() : ends].strip(), None
    length = int(_told(_LENGTH.search(found[1]), f"the length of stream {number}"))
    body = pdf[found.end() : found.end() + length]
    if not re.match(rb"\s*endstream", pdf[found.end() + length : found.end() + length + 12]):
        raise NotOurs(f"stream {number} of the PDF does not end where it says")
    return found[1], body


def _told(found: re.Match[bytes] | None, what: str) -> bytes:
    if found is None:
        raise NotOurs(f"the PDF does not tell {what}")
    return found[1]


# -- writing ------------------------------------------------------------------------------------


class _Writer:
    """An encrypted file in the making, and the table of its objects."""

    def __init__(self, key: bytes, table: np.ndarray) -> None:
        self.key = key
        self._table = table
        self._out = bytearray(_HEADER)
        self._cipher = AES(key)

    def sealed(self, content: bytes) -> bytes:
        vector = secrets.token_bytes(_BLOCK)
        left = _BLOCK - len(content) % _BLOCK
        turned = Cipher(self._cipher, CBC(vector)).encryptor()
        return vector + turned.update(content + bytes([left]) * left) + turned.finalize()

    def put(self, number: int, body: bytes) -> None:
        self._table[number] = (_PLAIN, len(self._out), 0)
        self._out += b"%d 0 obj\n%b\nendobj\n" % (number, body)

    def put_stream(self, number: int, head: bytes, body: bytes) -> None:
        if b"(" in head or re.search(rb"(?<!<)<(?!<)", head):
            raise NotOurs(f"stream {number} of the PDF has text beside it")
        body = self.sealed(body)
        head = _LENGTH.sub(b"/Length %d" % len(body), head, count=1)
        self.put(number, head + b"\nstream\n" + body + b"\nendstream")

    def pack(self, number: int, objects: list[tuple[int, bytes]]) -> None:
        """The objects as one stream. Text in them needs no encryption of its own."""
        places, bodies = [], bytearray()
        for index, (one, body) in enumerate(objects):
            self._table[one] = (_PACKED, number, index)
            places.append(b"%d %d" % (one, len(bodies)))
            bodies += body + b"\n"
        first = b" ".join(places) + b"\n"
        content = zlib.compress(first + bodies, 6)
        head = b"<</Type /ObjStm /N %d /First %d /Filter /FlateDecode /Length %d>>"
        self.put_stream(number, head % (len(objects), len(first), len(content)), content)

    def finished(self, number: int, about: bytes) -> bytes:
        """The whole file, its table the object of this number."""
        at = len(self._out)
        self._table[number] = (_PLAIN, at, 0)
        body = zlib.compress(self._table.tobytes(), 6)
        head = b"<</Type /XRef /Size %d /W [1 4 2] %b /Filter /FlateDecode /Length %d>>"
        head %= (number + 1, about, len(body))
        self.put(number, head + b"\nstream\n" + body + b"\nendstream")
        return bytes(self._out) + b"startxref\n%d\n%%%%EOF\n" % at


def _catalogue(pdf: bytes, writer: _Writer) -> bytes:
    """The catalogue lies open, since readers look into it before they ask for a password; its
    text is encrypted one by one."""

    def told(value: Any) -> bytes:
        if isinstance(value, bool):
            return b"true" if value else b"false"
        if isinstance(value, int | Decimal):
            return str(value).encode()
        if isinstance(value, pikepdf.String):
            return b"<" + writer.sealed(bytes(value)).hex().encode() + b">"
        if value.is_indirect:
            return b"%d 0 R" % value.objgen[0]
        if isinstance(value, pikepdf.Dictionary):
            return b"<<" + b" ".join(_pairs(value)) + b">>"
        if isinstance(value, pikepdf.Array):
            return b"[" + b" ".join(told(one) for one in value) + b"]"
        return bytes(value.unparse())

    def _pairs(value: Any) -> Iterator[bytes]:
        return (pikepdf.Name(name).unparse() + b" " + told(one) for name, one in value.items())

    with pikepdf.open(io.BytesIO(pdf)) as document:
        return b"<<" + b" ".join([*_pairs(document.Root), _EXTENSION]) + b">>"


# -- the password -------------------------------------------------------------------------------


def _handler(key: bytes, user: bytes) -> bytes:
    """The dictionary that lets the password open the file (ISO 32000-2, 7.6.4.4)."""
    opens, holds = _for_password(key, user)
    owner_opens, owner_holds = _for_password(key, secrets.token_bytes(32), opens)
    rights = (_ALLOWED & 0xFFFFFFFF).to_bytes(4, "little") + b"\xff" * 4 + b"Tadb"
    turned = Cipher(AES(key), ECB()).encryptor()
    rights = turned.update(rights + secrets.token_bytes(4)) + turned.finalize()
    told = {"U": opens, "UE": holds, "O": owner_opens, "OE": owner_holds, "Perms": rights}
    texts = " ".join(f"/{name} <{value.hex()}>" for name, value in told.items())
    return (
        "<</Filter /Standard /V 5 /R 6 /Length 256 /EncryptMetadata true "
        "/CF <</StdCF <</AuthEvent /DocOpen /CFM /AESV3 /Length 32>>>> /StmF /StdCF /StrF /StdCF "
        f"/P {_ALLOWED} {texts}>>"
    ).encode()


def _for_password(key: bytes, password: bytes, user: bytes = b"") -> tuple[bytes, bytes]:
    """What tells whether the password is right, and the file's key under it (algorithms 8, 9)."""
    validation, opening = secrets.token_bytes(8), secrets.token_bytes(8)
    check = hardened(password, validation, user) + validation + opening
    under = Cipher(AES(hardened(password, opening, user)), CBC(bytes(_BLOCK))).encryptor()
    return check, under.update(key) + under.finalize()


def hardened(password: bytes, salt: bytes, user: bytes = b"") -> bytes:
    """The 32 bytes that a password and a salt come to (ISO 32000-2, algorithm 2.B).

    For the owner's password `user` is the 48 bytes of the user's entry.
    """
    key = hashlib.sha256(password + salt + user).digest()
    for count in range(1, 1 << 16):
        turned = Cipher(AES(key[:16]), CBC(key[16:32])).encryptor()
        mixed = turned.update((password + key + user) * 64)
        hashed = (hashlib.sha256, hashlib.sha384, hashlib.sha512)[sum(mixed[:16]) % 3]
        key = hashed(mixed).digest()
        if count >= 64 and mixed[-1] <= count - 32:
            break
    return key[:32]
