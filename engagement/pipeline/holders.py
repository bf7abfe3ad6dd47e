"""Whose the titles are and who consented, as plain values.

partners/ keeps them; the ingest command hands them over. They decide which territories a title
is counted by, whose titles a fan set pools, and whose stand behind a typical curve.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from engagement.scope import ALL, Window

HOME = "CN"
"""The market whose regions are known. The list of cells is fixed, so `*` cannot name them all."""


@dataclass(frozen=True)
class Held:
    """A partner holds a title in territories (`*`: all) for a time; None: without an end."""

    title_id: int
    partner_id: UUID
    territories: frozenset[str]
    since: date | None = None
    until: date | None = None

    def during(self, window: Window) -> bool:
        """Whether it holds on some day of the window."""
        return (self.since is None or self.since < window.until) and (
            self.until is None or window.since < self.until
        )


@dataclass(frozen=True)
class Consented:
    """`partner_id`, who holds a title, lets `given_to` build fan sets from it, from a day on."""

    title_id: int
    partner_id: UUID
    given_to: UUID
    since: date
    until: date | None = None


@dataclass(frozen=True)
class Holders:
    """All holdings and consents as they are now."""

    held: tuple[Held, ...] = ()
    consented: tuple[Consented, ...] = ()

    def partners(self, title_id: int, window: Window) -> frozenset[UUID]:
        return frozenset(h.partner_id for h in self._of([title_id], window))

    def territories(self, title_id: int, window: Window) -> frozenset[str]:
        """The single territories that the title's holdings name; `*` stands for HOME."""
        named = frozenset().union(*(h.territories for h in self._of([title_id], window)))
        return (named - {ALL}) | {HOME} if ALL in named else named

    def titles(self, partner_id: UUID, window: Window) -> frozenset[int]:
        return frozenset(
            h.title_id for h in self.held if h.partner_id == partner_id and h.during(window)
        )

    def _of(self, titles: Iterable[int], window: Window) -> list[Held]:
        wanted = set(titles)
        return [h for h in self.held if h.title_id in wanted and h.during(window)]
