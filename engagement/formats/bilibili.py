"""What Bilibili's danmaku mean in every dialect: modes, drawn text, line breaks."""

from __future__ import annotations

import json
import re

DRAWN = "7"
"""Text placed and moved by its sender: a JSON array whose fifth element is the text."""

SCRIPTS = frozenset({"8", "9"})
"""ActionScript and BAS programs."""

_BREAK = re.compile(r"/n(?![a-z])")
_DRAWN_TEXT = re.compile(r'\[(?:[^,]*,){4}\s*"((?:[^"\\]|\\.)*)"', re.S)


def comment_text(mode: str, text: str) -> str | None:
    """What the comment says; None for a script, which says nothing.

    `/n` is a line break, except where it may be part of a word or address. A drawing without
    letters keeps its blanks and counts as empty.
    """
    if mode in SCRIPTS:
        return None
    if mode != DRAWN:
        return _BREAK.sub("\n", text)
    drawn = _drawn(text)
    return drawn.replace("/n", "\n") if drawn is not None else _BREAK.sub("\n", text)


def _drawn(text: str) -> str | None:
    try:
        parts = json.loads(text, strict=False)
        if isinstance(parts, list) and len(parts) > 4:
            return str(parts[4])
    except (ValueError, RecursionError):
        pass
    found = _DRAWN_TEXT.match(text.strip())
    return found.group(1).replace('\\"', '"') if found else None
