"""Query parameters to a Query. A parameter that is not known is an error, never ignored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from engagement.query import families_of, measured, resource_for
from engagement.scope import Query, Scope, Window, day_of, is_territory
from engagement.settling import settled_until
from portal.api.errors import BadParameter

_KNOWN = {"from", "until", "territory", "grain", "clip"}
_OF_COMMENTS = {"from_second", "until_second"}
_DAYS_WITHOUT_DATA = 28
MOST_ROWS = 300_000
"""Of a curve by day: a month of a film of two hours and three quarters, some 40 MB of JSON."""
_NO_SECOND = 10_000_000  # one more digit than may be asked for


def query_from(
    parameters: Mapping[str, str], scope: Scope, title_id: int, resource: str
) -> tuple[Query, bool]:
    """The query, and whether it is to be answered whole or refused.

    Without from and until: all days on which the scope has numbers of that family. With
    `clip=1` what reaches beyond the scope is left out, as on the pages. Raises
    BadParameter, Refused (an unknown resource, or a family that is not granted).
    """
    families = families_of(resource_for(resource), scope, title_id)
    known = _KNOWN | (_OF_COMMENTS if resource == "danmu_comments" else set())
    refuse_unknown(parameters, known)
    since, until = _day(parameters, "from"), _day(parameters, "until")
    named = since is not None or until is not None
    territory = _territory(parameters)
    whole = measured(scope, title_id, families) or _recent()
    try:
        window = Window(since or whole.since, until or whole.until)
    except ValueError:
        raise BadParameter("until must be after from (it is the day after the last)") from None
    grain = parameters.get("grain", "window")
    if grain not in ("window", "day") or (grain == "day" and not resource_for(resource).curve):
        raise BadParameter(f"{resource} has no grain {grain!r}")
    query = Query(
        title_id=title_id,
        resource=resource,
        window=window,
        territory=territory,
        grain=grain,
        seconds=_seconds(parameters),
        most_rows=MOST_ROWS if grain == "day" else None,
    )
    reached = territory is None or any(
        e.reaches(territory) for e in scope.tuples(title_id, families)
    )
    clip = _clip(parameters)
    return query, (named or not reached) and not clip


def refuse_unknown(parameters: Mapping[str, str], known: Collection[str] = ()) -> None:
    """Raises BadParameter for the first parameter that is not known; never is one ignored."""
    for name in parameters:
        if name not in known:
            raise BadParameter(
                f"unknown parameter {name!r}; known are {', '.join(sorted(known)) or 'none'}"
            )


def _clip(parameters: Mapping[str, str]) -> bool:
    """Whether the caller would rather have what is granted of the question than a refusal."""
    text = parameters.get("clip", "0")
    if text not in ("0", "1"):
        raise BadParameter("clip must be 0 or 1")
    return text == "1"


def _day(parameters: Mapping[str, str], name: str) -> date | None:
    text = parameters.get(name)
    if text is None:
        return None
    try:
        return day_of(text)
    except ValueError:
        raise BadParameter(f"{name} must be a day as YYYY-MM-DD") from None


def _territory(parameters: Mapping[str, str]) -> str | None:
    text = parameters.get("territory")
    if text is not None and not is_territory(text):
        raise BadParameter("territory must be an ISO 3166-1 code such as CN, or *")
    return text


def _seconds(parameters: Mapping[str, str]) -> tuple[int, int] | None:
    if "from_second" not in parameters and "until_second" not in parameters:
        return None
    bounds = []
    for name, absent in (("from_second", "0"), ("until_second", str(_NO_SECOND))):
        text = parameters.get(name, absent)
        if name in parameters and not (text.isascii() and text.isdigit() and len(text) <= 7):
            raise BadParameter(f"{name} must be a whole number of seconds")
        bounds.append(int(text))
    if bounds[0] >= bounds[1]:
        raise BadParameter(
            "until_second must be after from_second (it is the second after the last)"
        )
    return bounds[0], bounds[1]


def _recent() -> Window:
    until = settled_until()
    return Window(date.fromordinal(until.toordinal() - _DAYS_WITHOUT_DATA), until)
