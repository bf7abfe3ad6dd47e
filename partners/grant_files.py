"""Grants by a file: read and checked whole, shown, proposed together, approved together.

One row is one grant. A file with one bad row proposes nothing; errors name their lines. What a
file would open is compared as one change (difference.on_approval of all its grants).
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from engagement.families.registry import FAMILIES
from engagement.models import Title
from engagement.scope import ALL, EXITS, day_of
from partners import grants, territories
from partners.audit import record
from partners.blocks import Difference
from partners.difference import on_approval
from partners.grants import GrantError
from partners.models import Grant, GrantBatch, Partner, User

COLUMNS = (
    "partner", "contract_reference", "titles", "families", "data_from", "data_until",
    "territories", "exits", "valid_from", "valid_until", "replaces",
)  # fmt: skip
"""Lists are separated by `|`, days are YYYY-MM-DD; `replaces` is an approved grant's contract
reference. Empty: all days, valid from today, no end, replaces none.
"""
MOST_ROWS = 1000


@dataclass(frozen=True)
class Problem:
    """What is wrong, and on which line of the file (1 is the header)."""

    line: int
    column: str
    words: str


@dataclass
class Row:
    """A grant that is not saved, with the titles it names."""

    line: int
    grant: Grant
    titles: list[Title]


@dataclass
class Read:
    """A file as it was read. It may be proposed where there is no problem."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read(text: str) -> Read:
    """Every row checked against what is known; nothing is saved."""
    found = Read()
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    header = [name.strip() for name in reader.fieldnames or ()]
    missing = [c for c in (*COLUMNS[:4], "territories", "exits") if c not in header]
    for name in missing:
        found.problems.append(Problem(1, name, _("The column is missing.")))
    for name in header:
        if name not in COLUMNS or header.count(name) > 1:
            found.problems.append(Problem(1, name, _("The column is not known, or twice there.")))
    if found.problems:
        return found
    try:
        for values in reader:
            if len(found.rows) == MOST_ROWS:
                found.problems.append(Problem(reader.line_num, "", _("More than 1,000 rows.")))
                break
            _read_row(reader.line_num, values, found)
    except csv.Error as error:
        found.problems.append(Problem(reader.line_num, "", str(error)))
    if not found.rows and not found.problems:
        found.problems.append(Problem(1, "", _("There are no rows.")))
    return found


@transaction.atomic
def propose(text: str, *, name: str, by: User, request: HttpRequest | None = None) -> GrantBatch:
    """Make every grant of the file, all proposed. Raises GrantError where a row is not right."""
    found = read(text)
    if found.problems:
        raise GrantError(_("The file has errors: nothing was proposed."))
    batch = GrantBatch.objects.create(
        name=name[:200], sha256=hashlib.sha256(text.encode()).hexdigest(), made_by=by
    )
    for row in found.rows:
        row.grant.made_by = by
        row.grant.save()
        row.grant.titles.set(row.titles)
        grants.propose(row.grant, by=by, request=request)
        batch.grants.add(row.grant)
    record(
        "grant_batch.made",
        actor=by,
        target=batch.pk,
        request=request,
        name=batch.name,
        sha256=batch.sha256,
        grants=len(found.rows),
    )
    return batch


def dry_run(text: str, *, by: User) -> Difference:
    """What the file would open and close once approved. Raises GrantError as `propose` does."""
    shown = Difference((), ())
    try:
        with transaction.atomic():
            shown = on_approval(*proposed_of(propose(text, name="", by=by)))
            raise _Undo
    except _Undo:
        return shown


@transaction.atomic
def approve(batch: GrantBatch, *, by: User, seen: str, request: HttpRequest | None = None) -> int:
    """Approve every grant of the file that is still proposed, or none. Returns how many.

    Raises GrantError as grants.approve does, and where what they open is not what was `seen`.
    """
    waiting = proposed_of(batch)
    if not waiting:
        raise GrantError(_("No grant of this file waits for approval."))
    if seen != digest(waiting):
        raise GrantError(_("What this grant opens has changed since you saw it. Look again."))
    for grant in waiting:
        grants.approve(grant, by=by, request=request)
    record("grant_batch.approved", actor=by, target=batch.pk, request=request, grants=len(waiting))
    return len(waiting)


def proposed_of(batch: GrantBatch) -> list[Grant]:
    return list(
        batch.grants.filter(state=Grant.State.PROPOSED)
        .select_related("partner", "made_by")
        .order_by("pk")
    )


def digest(proposed: list[Grant]) -> str:
    """What was seen of all of them, in one word."""
    return grants.digest(o for grant in proposed for o in grants.opens(grant))


class _Undo(Exception):
    pass


# -- one row --------------------------------------------------------------------------------------


class _Wrong(Exception):
    pass


def _read_row(line: int, values: dict[Any, Any], found: Read) -> None:
    problems: list[Problem] = []

    def take(column: str, parse: Callable[[str], Any]) -> Any:
        try:
            return parse((values.get(column) or "").strip())
        except _Wrong as wrong:
            problems.append(Problem(line, column, str(wrong)))
            return None

    if None in values:
        problems.append(Problem(line, "", _("More cells than columns.")))
    partner = take("partner", _partner)
    contract = take("contract_reference", _filled)
    replaces = take("replaces", lambda text: _replaced(text, partner))
    valid_from, valid_until = take("valid_from", _begins), take("valid_until", _ends)
    grant = Grant(
        partner=partner,
        contract_reference=contract or "",
        replaces=replaces,
        families=take("families", lambda text: _codes(text, FAMILIES)),
        data_from=take("data_from", _day),
        data_until=take("data_until", _day),
        territories=take("territories", _territories),
        exits=take("exits", lambda text: _codes(text, EXITS)),
        valid_from=valid_from,
        valid_until=valid_until,
    )
    titles = take("titles", _titles)
    for since, until, column in (
        (grant.data_from, grant.data_until, "data_until"),
        (valid_from, valid_until, "valid_until"),
    ):
        if since and until and since >= until:
            words = _("The end is the first moment outside: it must be later.")
            problems.append(Problem(line, column, words))
    found.problems += problems
    if not problems:
        found.rows.append(Row(line, grant, titles))


def _partner(text: str) -> Partner:
    partner = Partner.objects.filter(slug=text).first()
    if partner is None:
        raise _Wrong(_("There is no partner %s.") % repr(text))
    return partner


def _filled(text: str) -> str:
    if not text or len(text) > 200:
        raise _Wrong(_("Between 1 and 200 characters."))
    return text


def _titles(text: str) -> list[Title]:
    slugs = _split(text)
    titles = {t.slug: t for t in Title.objects.filter(slug__in=slugs)}
    if unknown := [s for s in slugs if s not in titles]:
        raise _Wrong(_("There is no title %s.") % repr(unknown[0]))
    return list(titles.values())


def _codes(text: str, known: tuple[str, ...]) -> list[str]:
    codes = _split(text)
    if unknown := [c for c in codes if c not in known]:
        raise _Wrong(_("%s is not on the list.") % repr(unknown[0]))
    return [c for c in known if c in codes]


def _territories(text: str) -> list[str]:
    codes = _split(text)
    if unknown := [c for c in codes if c != ALL and c not in territories.CODES]:
        raise _Wrong(_("%s is no ISO 3166-1 code.") % repr(unknown[0]))
    return [ALL] if ALL in codes else sorted(set(codes))


def _split(text: str) -> list[str]:
    codes = [part.strip() for part in text.split("|") if part.strip()]
    if not codes:
        raise _Wrong(_("This is empty."))
    return codes


def _day(text: str) -> date | None:
    try:
        return day_of(text) if text else None
    except ValueError:
        raise _Wrong(_("Write the day as YYYY-MM-DD.")) from None


def _begins(text: str) -> datetime:
    day = _day(text)
    if day is None:
        return timezone.now()
    if day < timezone.localdate():
        raise _Wrong(_("A grant is not dated back: choose today or later."))
    return _midnight(day)


def _ends(text: str) -> datetime | None:
    day = _day(text)
    return _midnight(day) if day is not None else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=timezone.get_current_timezone())


def _replaced(text: str, partner: Partner | None) -> Grant | None:
    if not text or partner is None:
        return None
    found = list(
        Grant.objects.filter(partner=partner, contract_reference=text, state=Grant.State.APPROVED)[
            :2
        ]
    )
    if len(found) != 1:
        raise _Wrong(_("%s is not one approved grant of the partner.") % repr(text))
    return found[0]
