"""Columns of a landed file turned into numbers, instants and codes, a whole column at a time.

A cell that cannot be read is marked, never guessed; what follows from the mark is decided by
the reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement.formats.times import EARLIEST_US, LATEST_US, SECOND_US, microseconds, to_utc
from engagement.formats.values import Floats, Ints, Mask

_NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_NOT_FINITE = r"(?i)^[+-]?(?:nan|inf|infinity)$"
_ZONED = r"(?:[zZ]|[+-]\d\d:?\d\d)$"
_INSTANT = r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?\s?(?:[zZ]|[+-]\d\d:?\d\d)?$"
_CLOCK = r"^(?:\d{1,3}:)?\d{1,3}:\d{1,2}(?:\.\d+)?$"


@dataclass(frozen=True)
class Numbers:
    """Float values; where `missing` or `malformed` the value is NaN and means nothing."""

    values: Floats
    missing: Mask
    malformed: Mask

    @property
    def read(self) -> Mask:
        return ~(self.missing | self.malformed)


@dataclass(frozen=True)
class Instants:
    """Microseconds since 1970, UTC; 0 where `missing` or `malformed`."""

    us: Ints
    missing: Mask
    malformed: Mask

    @property
    def read(self) -> Mask:
        return ~(self.missing | self.malformed)

    def array(self, good: Mask) -> pa.Array:
        """An Arrow timestamp column, null outside `good` and where nothing was read."""
        return pa.array(self.us, mask=~(good & self.read)).cast(pa.timestamp("us", tz="UTC"))


def mask(array: Any) -> Mask:
    """An Arrow boolean array as numpy, null as False."""
    filled = pc.fill_null(array, False)
    if isinstance(filled, pa.ChunkedArray):
        filled = filled.combine_chunks()
    return np.asarray(filled.to_numpy(zero_copy_only=False), bool)


def flat(array: Any) -> pa.Array:
    """One contiguous array, dictionaries and views written out."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.chunks else pa.array([], array.type)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_large_string(array.type) or str(array.type) == "string_view":
        array = array.cast(pa.string())
    return array


def absent(rows: int) -> pa.Array:
    """A column that the file does not have."""
    return pa.nulls(rows, pa.string())


def texts(array: pa.Array) -> pa.Array:
    """Trimmed strings, "" as null; numbers are written out, whole floats without the .0.

    Raises pa.ArrowInvalid for bytes that are not UTF-8.
    """
    if pa.types.is_floating(array.type):
        values = np.asarray(array.to_numpy(zero_copy_only=False), float)
        if np.isfinite(values).all() and (values == np.floor(values)).all():
            array = array.cast(pa.int64())
    if not pa.types.is_string(array.type):
        array = array.cast(pa.string())
    array = pc.utf8_trim_whitespace(array)
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)


def numbers(array: pa.Array) -> Numbers:
    """Numbers out of strings or numbers. "nan" and "inf" are read as such."""
    if pa.types.is_null(array.type):
        array = array.cast(pa.string())
    if not pa.types.is_string(array.type):
        if pa.types.is_boolean(array.type) or pa.types.is_temporal(array.type):
            return _all_malformed(array)
        try:
            values = array.cast(pa.float64(), safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return _all_malformed(array)
        return Numbers(_floats(values), mask(pc.is_null(array)), np.zeros(len(array), bool))
    trimmed = texts(array)
    missing = mask(pc.is_null(trimmed))
    try:
        return Numbers(_floats(trimmed.cast(pa.float64())), missing, np.zeros(len(array), bool))
    except pa.ArrowInvalid:
        fits = pc.match_substring_regex(trimmed, _NUMBER)
        endless = pc.match_substring_regex(trimmed, _NOT_FINITE)
        kept = pc.if_else(fits, trimmed, pa.scalar(None, pa.string()))
        malformed = ~missing & ~mask(fits) & ~mask(endless)
        return Numbers(_floats(kept.cast(pa.float64())), missing, malformed)


def offsets(array: pa.Array) -> Numbers:
    """Seconds into the video: as numbers, or as [HH:]MM:SS."""
    if pa.types.is_string(array.type):
        clocks = mask(pc.match_substring_regex(pc.utf8_trim_whitespace(array), _CLOCK))
        if clocks.any():
            plain = array.to_pylist()
            for row in np.flatnonzero(clocks):
                plain[row] = repr(_clock_seconds(plain[row]))
            array = pa.array(plain, pa.string())
    return numbers(array)


def _clock_seconds(clock: str) -> float:
    seconds = 0.0
    for part in clock.strip().split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def instants(array: pa.Array, zone: tzinfo = UTC) -> Instants:
    """Instants out of ISO 8601 text, Unix seconds or milliseconds, ctime text, or timestamps.

    A time that names no zone is read as the wall clock of `zone`.
    """
    rows = len(array)
    if pa.types.is_null(array.type):
        array = array.cast(pa.string())
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        naive = pa.types.is_date(array.type) or array.type.tz is None
        kind = pa.timestamp("us") if naive else pa.timestamp("us", tz="UTC")
        missing = mask(pc.is_null(array))
        us = _micros(array.cast(kind, safe=False))
        if naive:
            us = to_utc(zone, us)
        return _bounded(us, missing, np.zeros(rows, bool))
    if not pa.types.is_string(array.type):
        return _from_epoch(numbers(array))
    trimmed = texts(array)
    missing = mask(pc.is_null(trimmed))
    digits = mask(pc.match_substring_regex(trimmed, r"^\d{9,13}(?:\.\d+)?$"))
    if digits.any() and (digits | missing).all():
        return _from_epoch(numbers(trimmed))
    iso = mask(pc.match_substring_regex(trimmed, _INSTANT))
    if (iso | missing).all():
        fast = _iso(trimmed, zone)
        if fast is not None:
            return _bounded(fast, missing, np.zeros(rows, bool))
    return _one_by_one(trimmed, zone)


def _iso(trimmed: pa.Array, zone: tzinfo) -> Ints | None:
    """Well-formed ISO text in one cast; None where a date in it does not exist."""
    nothing = pa.scalar(None, pa.string())
    zoned = pc.match_substring_regex(trimmed, _ZONED)
    try:
        utc = pc.if_else(zoned, trimmed, nothing).cast(pa.timestamp("us", tz="UTC"))
        wall = pc.if_else(zoned, nothing, trimmed).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None
    return np.where(mask(zoned), _micros(utc), to_utc(zone, _micros(wall)))


def _one_by_one(trimmed: pa.Array, zone: tzinfo) -> Instants:
    us = np.zeros(len(trimmed), np.int64)
    missing, malformed = np.zeros(len(trimmed), bool), np.zeros(len(trimmed), bool)
    for row, cell in enumerate(trimmed.to_pylist()):
        if cell is None:
            missing[row] = True
            continue
        moment = _moment(cell, zone)
        if moment is None:
            malformed[row] = True
        else:
            us[row] = moment
    return _bounded(us, missing, malformed)


def _moment(cell: str, zone: tzinfo) -> int | None:
    """One instant in microseconds, or None."""
    try:
        if cell.replace(".", "", 1).isdigit() and 9 <= len(cell.split(".")[0]) <= 13:
            value = float(cell)
            return round((value / 1000 if value >= 1e11 else value) * SECOND_US)
        moment = _parsed(cell)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return microseconds(moment)
    except (ValueError, OverflowError):
        return None


def _parsed(cell: str) -> datetime:
    try:
        return datetime.fromisoformat(cell.replace("/", "-", 2))
    except ValueError:
        pass
    for form in ("%a %b %d %H:%M:%S %Y", "%Y-%m-%d %H:%M", "%Y-%m-%d"):  # ctime; spreadsheets
        try:
            return datetime.strptime(cell.replace("/", "-", 2), form)
        except ValueError:
            continue
    raise ValueError(cell)


def _from_epoch(found: Numbers) -> Instants:
    values = np.where(found.read & np.isfinite(found.values), found.values, 0.0)
    seconds = np.where(np.abs(values) >= 1e11, values / 1000, values)
    odd = found.malformed | (found.read & ~np.isfinite(found.values)) | (np.abs(seconds) > 1e12)
    us = np.round(np.where(odd, 0.0, seconds) * SECOND_US).astype(np.int64)
    return _bounded(us, found.missing, odd)


def _bounded(us: Ints, missing: Mask, malformed: Mask) -> Instants:
    """Times before 2000 or after 9000 are damaged numbers."""
    odd = malformed | (~missing & ((us < EARLIEST_US) | (us > LATEST_US)))
    return Instants(np.where(missing | odd, 0, us), missing, odd)


def days(array: pa.Array) -> tuple[list[date | None], Mask]:
    """Dates, and which cells are no date."""
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.date32(), safe=False)
    if pa.types.is_date(array.type):
        return array.cast(pa.date32(), safe=False).to_pylist(), np.zeros(len(array), bool)
    found: list[date | None] = []
    malformed = np.zeros(len(array), bool)
    for row, cell in enumerate(texts(array).to_pylist()):
        day = None
        if cell is not None:
            try:
                day = date.fromisoformat(cell.replace("/", "-")[:10])
            except ValueError:
                malformed[row] = True
        found.append(day)
    return found, malformed


def codes(array: pa.Array) -> tuple[Ints, list[str | None]]:
    """A string column as codes into its distinct values."""
    encoded = array.dictionary_encode(null_encoding="encode")
    indices = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int64)
    return indices, encoded.dictionary.to_pylist()


def mapped(array: pa.Array, meaning: dict[str | None, str | None]) -> pa.Array:
    """Each cell replaced by what `meaning` has for it; every distinct cell must be in it."""
    indices, values = codes(array)
    replaced = pa.array([meaning[value] for value in values], pa.string())
    return replaced.take(pa.array(indices))


def _all_malformed(array: pa.Array) -> Numbers:
    missing = mask(pc.is_null(array))
    return Numbers(np.full(len(array), np.nan), missing, ~missing)


def _floats(array: pa.Array) -> Floats:
    return np.asarray(array.to_numpy(zero_copy_only=False), np.float64)


def _micros(array: pa.Array) -> Ints:
    filled = pc.fill_null(array.cast(pa.int64()), 0)
    return np.asarray(filled.to_numpy(zero_copy_only=False), np.int64)
