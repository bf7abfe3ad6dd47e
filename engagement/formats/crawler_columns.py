"""Which column of a crawler's CSV holds what, by its name and by what its cells look like."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_NAMES: dict[str, tuple[str, ...]] = {
    "offset": (
        "offset", "offset_s", "videotime", "video_time", "stime", "showtime", "playtime",
        "出现时间", "弹幕出现时间", "视频时间", "弹幕位置",
    ),
    "posted": (
        "timestamp", "unixtime", "ctime", "sent_unixtime", "posted_at", "send_time", "sendtime",
        "created_at", "created", "date", "datetime", "弹幕添加时间戳", "弹幕时间戳", "弹幕时间",
        "发送时间", "弹幕发送时间", "时间戳",
    ),
    "time": ("time", "时间"),
    "text": (
        "text", "content", "danmu", "danmaku", "comment", "message", "msg", "barrage",
        "弹幕内容", "弹幕信息", "弹幕文本", "弹幕", "内容",
    ),
    "sender": (
        "sender", "sender_id", "sender_hash", "user", "user_id", "userid", "uid", "uid_pseudonym",
        "user_hash", "hash", "midhash", "用户id", "用户", "发送者id", "发送者",
    ),
    "row_id": (
        "rowid", "row_id", "comment_id", "id", "dmid", "danmu_id", "danmaku_id", "弹幕id",
        "弹幕rowid",
    ),
    "mode": ("mode", "弹幕类型", "弹幕格式", "弹幕模式", "类型"),
    "size": ("size", "fontsize", "font_size", "字的大小", "弹幕字体", "字号", "字体大小"),
    "colour": ("color", "colour", "颜色", "弹幕颜色", "字体颜色"),
    "pool": ("pool", "弹幕池"),
    "likes": ("likes", "like", "like_count", "likecount", "点赞", "点赞数"),
    "part": ("part", "page", "p", "episode", "视频地址", "视频链接", "分p"),
}  # fmt: skip

_ROLE_OF = {name: role for role, names in _NAMES.items() for name in names}

_HASH = re.compile(r"D?[0-9a-f]{1,8}\Z", re.I)
_INT = re.compile(r"\d{1,20}\Z")
_SHEET_ID = re.compile(r"\d(?:\.\d+)?E\+\d\d\Z", re.I)
_UNIX = re.compile(r"1\d{9}(?:\d{3})?(?:\.\d+)?\Z")
_WRITTEN = re.compile(
    r"(?:\d{4}[-/]\d{1,2}[-/]\d{1,2}[ T]\d{1,2}:\d\d|[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} \d\d:)"
)
_SECONDS = re.compile(r"\d{1,6}\.\d+\Z|\d{1,6}\Z")
_CLOCK = re.compile(r"(?:\d{1,3}:)?\d{1,2}:\d\d(?:\.\d+)?\Z")
_PART = re.compile(r"[Pp]\d{1,4}\Z")


@dataclass
class Roles:
    """Column numbers. `corrected` says that the cells overruled the header."""

    width: int
    offset: int | None = None
    posted: int | None = None
    text: int | None = None
    sender: int | None = None
    row_id: int | None = None
    mode: int | None = None
    pool: int | None = None
    likes: int | None = None
    part: int | None = None
    corrected: bool = False
    hashed: bool = False  # senders are the hashes Bilibili writes

    @property
    def timed(self) -> bool:
        return self.offset is not None or self.posted is not None


def named_roles(names: Sequence[str]) -> dict[str, int]:
    """The columns that a header row names, the first of each role."""
    found: dict[str, int] = {}
    for at, name in enumerate(names):
        role = _ROLE_OF.get(name.strip().strip("\ufeff").lower())
        if role is not None:
            found.setdefault(role, at)
    return found


def roles_of(rows: Sequence[Sequence[str]]) -> Roles:
    """The roles of the columns of `rows`, whose first may be a header."""
    named = named_roles(rows[0])
    headed = "text" in named and len(named) >= 2
    width = len(rows[0])
    body = [row for row in (rows[1:] if headed else rows) if len(row) >= width]
    columns = [[row[at].strip() for row in body] for at in range(width)]
    roles = _checked(named, columns) if headed else _seen(columns)
    roles.hashed = roles.sender is not None and _is_hash(columns[roles.sender])
    return roles


def _checked(named: dict[str, int], columns: list[list[str]]) -> Roles:
    """The header's roles, put right where the cells contradict it."""
    roles = Roles(width=len(columns))
    for role in ("offset", "posted", "text", "sender", "row_id", "mode", "pool", "likes", "part"):
        setattr(roles, role, named.get(role))
    if "time" in named:
        at = named["time"]
        if _share(columns[at], _UNIX.match) > 0.9 or _share(columns[at], _WRITTEN.match) > 0.9:
            if roles.posted is None:
                roles.posted = at
        elif roles.offset is None:
            roles.offset = at
    if roles.sender is not None and _is_pool(columns[roles.sender]):
        roles.pool, roles.sender, roles.corrected = roles.sender, None, True
    if roles.row_id is not None and _is_hash(columns[roles.row_id]):
        if roles.sender is None:
            roles.sender = roles.row_id
        roles.row_id, roles.corrected = None, True
    unnamed = [at for at in range(len(columns)) if at not in named.values()]
    if roles.sender is None:
        roles.sender = _first(unnamed, columns, _is_hash)
    if roles.row_id is None:
        roles.row_id = _first(unnamed, columns, _is_row_id)
    return roles


def _seen(columns: list[list[str]]) -> Roles:
    """Roles by the cells alone; the order of Bilibili's own fields decides between likes."""
    roles = Roles(width=len(columns))
    ats = list(range(len(columns)))
    roles.part = _first(ats[:1], columns, lambda cells: _share(cells, _PART.match) > 0.95)
    roles.posted = _first(ats, columns, lambda c: _share(c, _WRITTEN.match) > 0.95)
    if roles.posted is None:
        roles.posted = _first(ats, columns, lambda c: _share(c, _UNIX.match) > 0.95)
    before = ats if roles.posted is None else ats[: roles.posted]
    roles.offset = _first(before, columns, lambda c: _share(c, _CLOCK.match) > 0.95)
    if roles.offset is None:
        roles.offset = _first(before, columns, _is_seconds)
    after = [] if roles.posted is None else ats[roles.posted + 1 :]
    roles.pool = _first(after, columns, _is_pool)
    roles.sender = _first(after, columns, _is_hash)
    roles.row_id = _first([a for a in after if a != roles.sender], columns, _is_row_id)
    between = before if roles.offset is None else before[roles.offset + 1 :]
    roles.mode = _first(between, columns, _is_mode)
    taken = {roles.part, roles.posted, roles.offset, roles.pool, roles.sender, roles.row_id}
    worded = [at for at in ats if at not in taken and _is_words(columns[at])]
    roles.text = worded[-1] if worded else None
    return roles


def _first(
    ats: Sequence[int], columns: list[list[str]], fits: Callable[[list[str]], bool]
) -> int | None:
    return next((at for at in ats if columns[at] and fits(columns[at])), None)


def _share(cells: list[str], fits: Callable[[str], object]) -> float:
    return sum(1 for cell in cells if fits(cell)) / len(cells) if cells else 0.0


def _is_hash(cells: list[str]) -> bool:
    """CRC32 in hex: short, with letters in many and more than one value."""
    lettered = _share(cells, lambda c: _HASH.match(c) and not c.isdigit())
    return _share(cells, _HASH.match) > 0.95 and lettered > 0.5


def _is_pool(cells: list[str]) -> bool:
    return bool(cells) and set(cells) <= {"0", "1", "2"}


def _is_mode(cells: list[str]) -> bool:
    return bool(cells) and set(cells) <= {str(mode) for mode in range(1, 10)}


def _is_row_id(cells: list[str]) -> bool:
    """Long numbers, hardly any twice; or what a spreadsheet left of them."""
    if _share(cells, _SHEET_ID.match) > 0.5:
        return True
    long = _share(cells, lambda c: _INT.match(c) and len(c) >= 6)
    return long > 0.95 and len(set(cells)) > 0.9 * len(cells)


def _is_seconds(cells: list[str]) -> bool:
    pointed = _share(cells, lambda c: _SECONDS.match(c) and "." in c)
    return _share(cells, _SECONDS.match) > 0.95 and pointed > 0.5


def _is_words(cells: list[str]) -> bool:
    return _share(cells, lambda c: bool(c) and not c.replace(".", "").isdigit()) > 0.5
