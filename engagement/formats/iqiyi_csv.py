"""iQIYI danmaku CSV (uid, content, like_count): neither an offset nor a time, so --day says when.

The columns are read as any crawler's; only the recognising differs, because a table of texts and
likes might as well be posts.
"""

from __future__ import annotations

from dataclasses import replace

from engagement.formats import crawler_csv
from engagement.formats.container import File
from engagement.formats.registry import Format
from engagement.formats.values import Catalogue, Landed, Options, Reading

NAME = "iqiyi-csv"
_TEXT_AND_LIKES = {"content", "like_count"}
_UIDS = {"uid", "uid_pseudonym"}
_ALL = _TEXT_AND_LIKES | _UIDS | {"seq", "uname", "showtime"}


def recognise(file: File) -> int:
    names = {name.strip().lower() for name in file.head.split("\n", 1)[0].split(",")}
    return 85 if _TEXT_AND_LIKES <= names <= _ALL and names & _UIDS else 0


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    return replace(crawler_csv.read(file, options, catalogue, reading), format=NAME)


FORMAT = Format(NAME, "danmu", recognise, read)
