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
    """What the comment says; None for a script or a blank drawing, which say nothing.

    `/n` is a line break, except where it may be part of a word or address.
    """
    if mode in SCRIPTS:
        return None
    if mode != DRAWN:
        return _BREAK.sub("\n", text)
    drawn = _drawn(text)
    if drawn is None:
        return _BREAK.sub("\n", text)
    return drawn.replace("/n", "\n") if drawn.strip() else None


def _drawn(text: str) -> str | None:
    try:
        parts = json.loads(text, strict=False)
        if isinstance(parts, list) and len(parts) > 4:
            return str(parts[4])
    except (ValueError, RecursionError):
        pass
    found = _DRAWN_TEXT.match(text.strip())
    return found.group(1).replace('\\"', '"') if found else None
