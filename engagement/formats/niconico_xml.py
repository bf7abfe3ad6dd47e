"""Niconico's older comment XML: `<packet><chat vpos date user_id ...>text</chat>`.

vpos is in hundredths of a second. A chat that Niconico deleted says nothing and is left out.
"""

from __future__ import annotations

import re
from typing import Any
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler

import defusedxml.sax
from defusedxml import DefusedXmlException

from engagement.formats import found
from engagement.formats.bilibili_xml import clean
from engagement.formats.container import File
from engagement.formats.found import Found, Listing, cell, scaled
from engagement.formats.registry import Format
from engagement.formats.values import Catalogue, Landed, Options, Quarantined, Reading

NAME = "niconico-xml"


def recognise(file: File) -> int:
    return 95 if re.match(r"(?:<\?xml[^>]*\?>\s*)?<packet\b", file.head) else 0


class _Reader(ContentHandler):
    def __init__(self) -> None:
        super().__init__()
        self.listing = Listing(no_comment="a comment that Niconico deleted")
        self._open: dict[str, str] | None = None
        self._text: list[str] = []

    def startElement(self, name: str, attrs: Any) -> None:
        if name == "chat":
            self._open = dict(attrs.items())
            self._text = []

    def characters(self, content: str) -> None:
        if self._open is not None:
            self._text.append(content)

    def endElement(self, name: str) -> None:
        chat = self._open
        if name != "chat" or chat is None:
            return
        self._open = None
        self.listing.comments.append(
            Found(
                line=len(self.listing.comments) + 1,
                text=None if chat.get("deleted") else "".join(self._text),
                offset=scaled(chat.get("vpos"), 100),
                posted=cell(chat.get("date")),
                sender=cell(chat.get("user_id")),
                likes=cell(chat.get("nicoru")),
            )
        )


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    handler = _Reader()
    text = clean(file.text, {}).lstrip()
    try:
        defusedxml.sax.parseString(text.encode(), handler, forbid_dtd=True, forbid_entities=True)
    except DefusedXmlException as error:
        raise Quarantined(
            f"the XML declares a document type or entities, which danmaku never do: {error}"
        ) from error
    except SAXParseException as error:
        rows = len(handler.listing.comments)
        raise Quarantined(
            f"the XML is not well-formed ({error.getMessage()}); {rows} comments were read "
            "before it broke",
            rows_read=rows,
        ) from error
    return found.land(NAME, handler.listing, file, options, catalogue, reading)


FORMAT = Format(NAME, "danmu", recognise, read)
