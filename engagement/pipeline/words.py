"""Columns of words as codes, and codes as their places among the sorted words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Words:
    """Codes of words as they are met, and their order when all are known."""

    def __init__(self, most: int) -> None:
        self.codes: dict[str, int] = {}
        self.most = most

    def of(self, column: pa.Array) -> NDArray[np.int32]:
        """The codes of a column."""
        places, table = self.places(column)
        coded: NDArray[np.int32] = table[places]
        return coded

    def places(self, column: pa.Array) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The column as places in a table of codes, and the table."""
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        known = [self._code(word or "") for word in column.dictionary.to_pylist()]
        indices = column.indices
        if column.null_count:
            indices = pc.fill_null(indices, len(known))
            known.append(self._code(""))
        places = indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
        return places, np.array(known, np.int32)

    def _code(self, word: str) -> int:
        code = self.codes.setdefault(word, len(self.codes))
        if code >= self.most:
            raise ValueError(f"more than {self.most} different words, {word!r} the last")
        return code

    def sorted(self) -> tuple[list[str], NDArray[np.int32]]:
        """The words in order, and of each code the word's place."""
        names = sorted(self.codes)
        rank = np.empty(max(len(names), 1), np.int32)
        for place, name in enumerate(names):
            rank[self.codes[name]] = place
        return names, rank


def named(
    codes: NDArray, names: Sequence[str], index: type[np.signedinteger] = np.int32
) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(index)), pa.array(list(names), pa.string())
    )


def codes_of(tables: Sequence[pa.Table], name: str) -> tuple[NDArray, list[str]]:
    """The column of all tables as places among its sorted words."""
    words = Words(1 << 31)
    codes = [words.of(chunk) for table in tables for chunk in table[name].chunks]
    names, rank = words.sorted()
    return rank[np.concatenate(codes)] if codes else np.zeros(0, np.int32), names


def places_of(table: pa.Table, name: str) -> tuple[NDArray[np.int32], list[str]]:
    """A column as places among its sorted words."""
    if table[name].num_chunks == 1:
        column = table[name].chunk(0)
        words = column.dictionary.to_pylist()
        if words == sorted(words):
            return column.indices.to_numpy(), words
    return codes_of([table], name)


def changes(*keys: NDArray) -> Ints:
    """Where a run of rows with equal keys begins."""
    if not len(keys[0]):
        return np.zeros(0, np.int64)
    new = np.zeros(len(keys[0]), bool)
    new[0] = True
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(new)
