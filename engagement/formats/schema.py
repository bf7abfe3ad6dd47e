"""The landing tables: their Arrow schemas, their headers, and the words a cell may hold."""

from __future__ import annotations

import re

import pyarrow as pa
from babel import Locale

INSTANT = pa.timestamp("us", tz="UTC")

SEGMENTS = pa.schema(
    [
        ("line", pa.int64()),
        ("session_id", pa.string()),
        ("viewer_id", pa.string()),
        ("title_id", pa.string()),
        ("started_at", INSTANT),
        ("from_s", pa.int32()),
        ("to_s", pa.int32()),
        ("device", pa.string()),
        ("territory", pa.string()),
        ("region", pa.string()),
        ("age_band", pa.string()),
        ("gender", pa.string()),
    ]
)

DANMU = pa.schema(
    [
        ("line", pa.int64()),
        ("title_id", pa.string()),
        ("offset_s", pa.int32()),
        ("posted_at", INSTANT),
        ("day", pa.date32()),
        ("text", pa.string()),
        ("sender_id", pa.string()),
        ("likes", pa.int32()),
        ("territory", pa.string()),
        ("deleted_at", INSTANT),
        ("row_key", pa.string()),
    ]
)

DISCUSSION = pa.schema(
    [
        ("line", pa.int64()),
        ("title_id", pa.string()),
        ("post_id", pa.string()),
        ("parent_id", pa.string()),
        ("posted_at", INSTANT),
        ("day", pa.date32()),
        ("text", pa.string()),
        ("likes", pa.int32()),
        ("author_id", pa.string()),
        ("territory", pa.string()),
        ("deleted_at", INSTANT),
    ]
)

SHARES = pa.schema(
    [
        ("line", pa.int64()),
        ("title_id", pa.string()),
        ("share_id", pa.string()),
        ("shared_at", INSTANT),
        ("day", pa.date32()),
        ("channel", pa.string()),
        ("sharer_id", pa.string()),
        ("offset_s", pa.int32()),
        ("visits", pa.int32()),
        ("new_viewers", pa.int32()),
        ("territory", pa.string()),
    ]
)

TITLES = pa.schema(
    [
        ("line", pa.int64()),
        ("title_id", pa.string()),
        ("kind", pa.string()),
        ("name_zh", pa.string()),
        ("name_en", pa.string()),
        ("runtime_s", pa.int32()),
        ("released_on", pa.date32()),
        ("parent_title_id", pa.string()),
        ("cut_of", pa.string()),
        ("genres", pa.list_(pa.string())),
        ("cast", pa.list_(pa.string())),
        ("source_work", pa.list_(pa.string())),
    ]
)

SCHEMAS = {
    "segments": SEGMENTS,
    "danmu": DANMU,
    "discussion": DISCUSSION,
    "shares": SHARES,
    "titles": TITLES,
}

HEADERS: dict[str, tuple[str, ...]] = {
    "titles": (
        "title_id",
        "kind",
        "name_zh",
        "name_en",
        "runtime_s",
        "released_on",
        "parent_title_id",
        "cut_of",
        "genres",
        "cast",
        "source_work",
    ),
    "segments": (
        "session_id",
        "viewer_id",
        "title_id",
        "started_at",
        "from_s",
        "to_s",
        "device",
        "territory",
        "region",
        "age_band",
        "gender",
    ),
    "danmu": (
        "title_id",
        "offset_s",
        "posted_at",
        "text",
        "sender_id",
        "likes",
        "territory",
        "deleted_at",
    ),
    "discussion": (
        "title_id",
        "post_id",
        "parent_id",
        "posted_at",
        "text",
        "likes",
        "author_id",
        "territory",
        "deleted_at",
    ),
    "shares": (
        "title_id",
        "share_id",
        "shared_at",
        "channel",
        "sharer_id",
        "offset_s",
        "visits",
        "new_viewers",
        "territory",
    ),
}

REQUIRED: dict[str, tuple[str, ...]] = {
    "titles": ("title_id", "kind", "runtime_s"),
    "segments": ("session_id", "viewer_id", "title_id", "started_at", "from_s", "to_s"),
    "danmu": ("title_id", "offset_s", "posted_at", "text"),
    "discussion": ("title_id", "post_id", "posted_at", "text"),
    "shares": ("title_id", "share_id", "shared_at", "channel"),
}
"""Without these a file is quarantined. An absent descriptive column reads as empty cells."""

TITLE_KINDS = frozenset({"film", "series", "episode", "trailer"})
AGE_BANDS = ("<18", "18-24", "25-30", "31-35", "36-40", "41-50", "51+", "unknown")
GENDERS = ("female", "male", "unknown")
REGION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}\Z")  # ISO 3166-2

# CLDR also names areas that ISO 3166-1 does not: parts of states, unions, test codes.
_NOT_ISO = frozenset(
    {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"}
)
TERRITORIES = frozenset(
    code for code in map(str, Locale("en").territories) if len(code) == 2 and code not in _NOT_ISO
)
"""The 249 codes of ISO 3166-1 alpha-2."""

LONGEST_S = 360_000
"""No position lies beyond 100 hours, whatever the catalogue says."""

ID_LENGTH = 200
CHANNEL_LENGTH = 64
TEXT_LENGTH = 10_000
