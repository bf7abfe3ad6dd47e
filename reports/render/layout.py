"""Where things stand on a printed page, in millimetres from its top left.

The stylesheet is given these measures, and whoever draws on a finished page (who it is for, when
it was made, its bundle) keeps to them: nothing of the report itself stands in the stamp's places.
"""

from __future__ import annotations

from dataclasses import dataclass

SIZES = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}
"""Width and height of a page."""

MARGIN_MM = 18.0
"""Left and right of every page but the cover."""
COVER_MARGIN_MM = 24.0


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    width: float
    height: float


STAMP_LINES = 3
STAMP_LINE_MM = 8.4
STAMP_LABEL_MM = 34.0
"""From the left of the box to its values; the labels stand at its left edge."""


def stamp_box(paper: str) -> Box:
    """On the cover: three lines (for whom, made when, which bundle), under the facts' table."""
    width, _height = SIZES[paper]
    return Box(COVER_MARGIN_MM, 208.0, width - 2 * COVER_MARGIN_MM, STAMP_LINES * STAMP_LINE_MM)


FOOT_MM = 3.0
"""The foot line of every page is drawn so far above its lower edge; the report keeps 10 mm."""

COVER_TOP_MM, COVER_BOTTOM_MM = 30.0, 24.0


def style(paper: str) -> str:
    """The rules of the stylesheet that hold measures of one paper."""
    width, height = SIZES[paper]
    inside = height - COVER_TOP_MM - COVER_BOTTOM_MM
    stamp = stamp_box(paper)
    top = stamp.top - COVER_TOP_MM
    return "\n".join(
        (
            f"@page {{ size: {width}mm {height}mm }}",
            f".cover {{ height: {inside:.2f}mm }}",
            f".cover-facts {{ bottom: {inside - top:.2f}mm }}",
            f".stamp-room {{ top: {top:.2f}mm; height: {stamp.height:.2f}mm }}",
            f".confidential {{ top: {top + stamp.height + 5:.2f}mm }}",
        )
    )
