"""The JSON objects of a log: one a line, one array, one envelope, or one after another.

A broken line is counted with its number; a file that breaks off is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from sys import intern
from typing import Any

from engagement.formats.container import File
from engagement.formats.values import Quarantined

Object = dict[str, Any]
_FIRST_LINES = 40
_COMMENT = "#"
_BETWEEN = re.compile(r"(?:\s|^-+$)*", re.M)


def objects(
    file: File, broken: list[tuple[int, str]], envelopes: Sequence[str] = ()
) -> Iterator[tuple[int, Object]]:
    """(line, object) of each; lines that hold none go to `broken` as (line, why).

    In an array or envelope the line is the object's number, from 1. `envelopes` are the keys
    under which an envelope holds its events. Lines that begin with # are comments. Of a log of
    one object a line, one line at a time is in memory.
    """
    if not _a_line_each(file):
        yield from _one_after_another(file.text, envelopes)
        return
    failed: tuple[int, Exception] | None = None
    for number, line in file.lines():
        if not line.strip():
            continue
        if failed:  # and was not the last line
            broken.append((failed[0], f"not JSON: {failed[1]}"))
            failed = None
        if line.startswith(_COMMENT):
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            failed = number, error
            continue
        inside = _opened(value, envelopes)
        if not inside:
            broken.append((number, "not a JSON object"))
        for one in inside:
            yield number, one
    if failed:
        raise Quarantined(
            f"line {failed[0]}, the last, breaks off: {failed[1]}; the file is truncated"
        ) from failed[1]


def first_objects(file: File, envelopes: Sequence[str] = ()) -> list[Object]:
    """Some of the first objects, by which a format is recognised; [] where there are none."""
    head = file.head
    if not head or head[0] not in "{[#":
        return []
    complete = head if file.head_is_whole else head[: head.rfind("\n") + 1]
    found: list[Object] = []
    for line in complete.split("\n", _FIRST_LINES)[:_FIRST_LINES]:
        if line.startswith("{"):
            found += _opened(_parsed(line), envelopes)
    if found:
        return found
    for brace in list(re.finditer(r"\{", head))[:3]:
        try:
            value, _ = json.JSONDecoder().raw_decode(head, brace.start())
        except (ValueError, RecursionError):
            continue
        return _opened(value, envelopes)
    return []


def _one_after_another(text: str, envelopes: Sequence[str]) -> Iterator[tuple[int, Object]]:
    """Objects over several lines each, with nothing between them but blanks and rules (---)."""
    decoder, place, number = json.JSONDecoder(), 0, 0
    while (begin := _BETWEEN.match(text, place)) and begin.end() < len(text):
        try:
            value, place = decoder.raw_decode(text, begin.end())
        except ValueError as error:
            line = text.count("\n", 0, begin.end()) + 1
            raise Quarantined(f"line {line}: the JSON that begins here: {error}") from error
        for one in _opened(value, envelopes):
            number += 1
            yield number, one


def _a_line_each(file: File) -> bool:
    """Whether the first line is an object, or, where it is broken, most of those after it."""
    first: list[bool] = []
    for _, line in file.lines():
        if line.strip() and not line.startswith(_COMMENT):
            first.append(line.startswith("{") and isinstance(_parsed(line), dict))
            if first[0] or not line.startswith("{") or len(first) == _FIRST_LINES:
                break
    return bool(first) and (first[0] or 2 * sum(first) > len(first))


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _opened(value: Any, envelopes: Sequence[str]) -> list[Object]:
    """The objects of an array or envelope, or the one object."""
    if isinstance(value, dict):
        for key in envelopes:
            if isinstance(value.get(key), list):
                return _opened(value[key], ())
        return [value]
    if isinstance(value, list):
        return [one for one in value if isinstance(one, dict)]
    return []


def at(value: Any, *path: str) -> Any:
    """What lies at a path of keys, None where there is nothing."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def text_at(value: Any, *path: str) -> str | None:
    """A trimmed text or whole number at a path, None where there is none or it is blank.

    Ids repeat from event to event, and are kept once. NUL and halves of surrogate pairs, which
    JSON can write as escapes and no database keeps, are replaced.
    """
    found = at(value, *path)
    if isinstance(found, bool) or not isinstance(found, str | int):
        return None
    try:
        text = str(found)
    except ValueError:  # a number of more digits than Python writes out
        return None
    if not text.isprintable():
        text = text.encode("utf-8", "replace").decode().replace("\0", "?")
    return intern(text.strip()) or None


def number_at(value: Any, *path: str) -> float | None:
    """A number at a path, also one written as text; NaN where there is something else."""
    found = at(value, *path)
    if type(found) is float:
        return found
    if found is None or found == "":
        return None
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return float("nan")
    try:
        return float(found)
    except (ValueError, OverflowError):
        return float("nan")


_DURATION = re.compile(
    r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?\Z"
)  # ISO 8601, days and below


def duration_at(value: Any, *path: str) -> float | None:
    """Seconds of an ISO 8601 duration (PT3M14.4S) at a path; NaN where it is none."""
    found = text_at(value, *path)
    if found is None:
        return None
    read = _DURATION.match(found)
    if read is None:
        return float("nan")
    days, hours, minutes, seconds = (float(part or 0) for part in read.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
