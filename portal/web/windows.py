"""The window picker: which days and territory a page asks for, from its URL.

`?from=&until=&territory=` as in REST, half-open. What cannot be read is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from engagement import query
from engagement.models import Title
from engagement.scope import EVER, Part, Scope, Window, day_of, is_territory
from engagement.settling import settled_until

PRESETS = (7, 28, 90)
DEFAULT_DAYS = 28
_WATCHED = ("viewing", "retention", "rewatch")


@dataclass(frozen=True)
class Picked:
    """What the reader asked for, or the default (`chosen` False)."""

    window: Window
    territory: str | None
    chosen: bool

    def parameters(self) -> dict[str, str]:
        asked = {"from": self.window.since.isoformat(), "until": self.window.until.isoformat()}
        return asked | ({"territory": self.territory} if self.territory else {})

    @property
    def query_string(self) -> str:
        return urlencode(self.parameters())


@dataclass(frozen=True)
class Preset:
    days: int | None  # None: everything measured
    query_string: str
    current: bool


def recent(days: int = DEFAULT_DAYS) -> Window:
    """The last settled days."""
    until = settled_until()
    return Window(until - timedelta(days=days), until)


def default_window(scope: Scope, title: Title, measured: Window | None) -> Window:
    """The last settled days where people watched on them, else everything measured."""
    latest = recent()
    window = query.measured_each(scope, [title.pk], _WATCHED).get(title.pk)
    if window is not None and window.common(latest):
        return latest
    return measured or latest


def day_from(text: str) -> date | None:
    try:
        return day_of(text)
    except ValueError:
        return None


def picked(parameters: Mapping[str, str], default: Window) -> Picked:
    """The window and territory of a page's URL."""
    territory = parameters.get("territory", "")
    code = territory if is_territory(territory) else None
    since = day_from(parameters.get("from", "")) or default.since
    until = day_from(parameters.get("until", "")) or default.until
    if since >= until:
        return Picked(default, code, False)
    return Picked(Window(since, until), code, Window(since, until) != default)


def presets(asked: Picked, measured: Window | None) -> list[Preset]:
    windows: list[tuple[int | None, Window]] = [(n, recent(n)) for n in PRESETS]
    if measured is not None:
        windows.append((None, measured))
    return [
        Preset(days, Picked(window, asked.territory, True).query_string, window == asked.window)
        for days, window in windows
    ]


def days_of(parts: tuple[Part, ...]) -> Window | None:
    """From the first to the last day of several blocks."""
    if not parts:
        return None
    return Window(min(p.window.since for p in parts), max(p.window.until for p in parts))


def territories(scope: Scope, title_id: int) -> list[str]:
    """The territories granted of a title, `*` first."""
    return sorted({t for e in scope.entitled if e.title_id == title_id for t in e.territories})


def data_window(scope: Scope, title_id: int) -> Window | None:
    """The days granted of a title, None where no end is set on either side."""
    window = days_of(scope.granted(title_id, ()))
    return None if window == EVER else window
