"""What a reader sees of a page."""

from __future__ import annotations

import re


def visible(html: bytes) -> str:
    """The words of a page, tags and blanks aside."""
    return " ".join(re.sub(r"<[^>]+>", " ", html.decode()).split())
