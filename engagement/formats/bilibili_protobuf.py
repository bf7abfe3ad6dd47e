"""Bilibili danmaku protobuf (DmSegMobileReply), one segment of a video.

Texts are read as bytes, so that one comment of bad UTF-8 does not take the file with it.
Fields the site adds later are passed over.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import (  # type: ignore[import-untyped]
    descriptor_pb2,
    descriptor_pool,
    message,
    message_factory,
)

from engagement.formats import found
from engagement.formats.bilibili import comment_text
from engagement.formats.container import File
from engagement.formats.found import Found, Listing
from engagement.formats.registry import Format
from engagement.formats.values import Catalogue, Landed, Options, Quarantined, Reading

NAME = "bilibili-protobuf"

_NUMBER = descriptor_pb2.FieldDescriptorProto.TYPE_INT64
_BYTES = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
_ELEM = (
    ("id", 1, _NUMBER),
    ("progress", 2, _NUMBER),  # milliseconds
    ("mode", 3, _NUMBER),
    ("mid_hash", 6, _BYTES),
    ("content", 7, _BYTES),
    ("ctime", 8, _NUMBER),  # Unix seconds
    ("id_str", 12, _BYTES),
)


def _reply() -> Any:
    """The message class, from the field numbers as publicly described."""
    file = descriptor_pb2.FileDescriptorProto(
        name="bilibili_danmaku.proto", package="dailies.bilibili", syntax="proto3"
    )
    elem = file.message_type.add(name="Elem")
    for name, number, kind in _ELEM:
        elem.field.add(name=name, number=number, type=kind, label=1)
    reply = file.message_type.add(name="DmSegMobileReply")
    reply.field.add(name="elems", number=1, type=11, label=3, type_name=".dailies.bilibili.Elem")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("dailies.bilibili.DmSegMobileReply")
    )


_Reply = _reply()


def recognise(file: File) -> int:
    return 95 if file.is_protobuf else 0


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    reply = _Reply()
    try:
        reply.ParseFromString(file.data)
    except message.DecodeError as error:
        raise Quarantined(f"the protobuf is damaged or truncated: {error}") from error
    listing = Listing([_comment(line, elem) for line, elem in enumerate(reply.elems, start=1)])
    return found.land(NAME, listing, file, options, catalogue, reading)


def _comment(line: int, elem: Any) -> Found:
    return Found(
        line=line,
        text=comment_text(str(elem.mode), elem.content.decode("utf-8", "replace")),
        offset=repr(elem.progress / 1000),
        posted=str(elem.ctime) if elem.ctime else None,
        sender=elem.mid_hash.decode("utf-8", "replace") or None,
        row_id=elem.id_str.decode("utf-8", "replace") or (str(elem.id) if elem.id else None),
    )


FORMAT = Format(NAME, "danmu", recognise, read)
