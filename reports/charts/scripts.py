"""The chart builders as static files, for the engine and for the pages that draw the same."""

from __future__ import annotations

SCRIPTS = tuple(
    f"charts/{name}.js"
    for name in (
        "parts", "plate", "counts", "lanes", "timeline", "compare", "days", "people", "regions",
        "talk", "sharing", "fans",
    )
)  # fmt: skip
"""In the order in which they are loaded."""
