"""What people say at a moment: the phrases of a comment, and which of them stand out.

The rules are told in docs/numbers.md; a change of what a phrase is, or of MOMENT_S, is a change
of the metric (METRIC_VERSION), since phrases are stored with their comments.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from math import log

from engagement.text import HIDDEN, mask

MOMENT_S = 30
"""The seconds of a moment; the first begins at 0."""

LONGEST = 20
"""Characters of the longest phrase."""

FEWEST = 5
"""A phrase that stands out is said in at least so many comments of the moment."""

_SMALLEST_LIFT = 3.0
_SMALLEST_EVIDENCE = 24.0  # of log-likelihood: chance in a million
_MOST_OF_A_MOMENT = 5

_RUN = re.compile(r"(.)\1{3,}", re.S)
_WORDS = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+|[\u30a1-\u30ff]+|[a-z][a-z0-9']*")


def phrases_of(text: str) -> frozenset[str]:
    """The words of a masked text, and the whole of a short one.

    Width and case make no difference, a character repeated more than three times counts as
    three, and signs about a whole text are left out, but for question marks. Words have two
    characters or more: Chinese ones as rjieba cuts them, runs of katakana, Latin words.
    Hiragana, digits and signs are no words, but may be a whole text.
    """
    parts = [_plain(part) for part in text.split(HIDDEN)]
    found = {word for part in parts for word in _words(part) if 2 <= len(word) <= LONGEST}
    if len(parts) == 1 and 0 < len(whole := _bare(parts[0])) <= LONGEST:
        found.add(whole)
    return frozenset(phrase for phrase in found if mask(phrase) == phrase)


@cache
def _cutter() -> Callable[[str], list[str]]:
    """Read when first asked for: its dictionary takes 32 MB, and most processes cut nothing."""
    import rjieba

    return rjieba.cut


def _plain(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold()
    return _RUN.sub(r"\1\1\1", " ".join(plain.split()))


def _words(plain: str) -> Iterable[str]:
    for run in _WORDS.findall(plain):
        if "\u3400" <= run[0] <= "\u9fff":
            yield from _cutter()(run)
        else:
            yield run


def _bare(plain: str) -> str:
    """Without the signs before and after; "" where there is nothing else."""
    first = next((i for i, c in enumerate(plain) if _says_something(c)), len(plain))
    last = next((i for i, c in enumerate(reversed(plain)) if _says_something(c)), 0)
    return plain[first : len(plain) - last]


def _says_something(character: str) -> bool:
    return character.isalnum() or character == "?" or unicodedata.category(character) == "So"


@dataclass(frozen=True)
class Said:
    """In how many comments of one moment a phrase is said, and of the whole title.

    `comments` and `of` are of the moment, `in_title` and `of_title` of the whole, it included.
    """

    moment: int
    phrase: str
    comments: int
    of: int
    in_title: int
    of_title: int

    @property
    def lift(self) -> float:
        """How many times what the rest of the title would lead to expect.

        Half a comment is added to both, so that what is said nowhere else has a lift as well.
        """
        rest = self.of_title - self.of
        expected = self.of * (self.in_title - self.comments) / rest if rest else float(self.of)
        return (self.comments + 0.5) / (expected + 0.5)

    @property
    def evidence(self) -> float:
        """The log-likelihood ratio (G squared) against being said everywhere alike."""
        rest = self.of_title - self.of
        elsewhere = self.in_title - self.comments
        silent = self.of_title - self.in_title
        cells = (
            (self.comments, self.in_title, self.of),
            (elsewhere, self.in_title, rest),
            (self.of - self.comments, silent, self.of),
            (rest - elsewhere, silent, rest),
        )
        return 2 * sum(n * log(n * self.of_title / (row * of)) for n, row, of in cells if n)


def standing_out(counts: Iterable[Said]) -> list[Said]:
    """The phrases that stand out at their moment, by moment, the strongest first.

    Of phrases of one moment that contain each other only the strongest is told.
    """
    strong = [
        (evidence, said)
        for said in counts
        if said.comments >= FEWEST
        and said.lift >= _SMALLEST_LIFT
        and (evidence := said.evidence) >= _SMALLEST_EVIDENCE
    ]
    strong.sort(key=lambda pair: (pair[1].moment, -pair[0], -len(pair[1].phrase), pair[1].phrase))
    told: dict[int, list[Said]] = {}
    for _, said in strong:
        of_moment = told.setdefault(said.moment, [])
        if len(of_moment) < _MOST_OF_A_MOMENT and not any(
            said.phrase in other.phrase or other.phrase in said.phrase for other in of_moment
        ):
            of_moment.append(said)
    return [said for of_moment in told.values() for said in of_moment]
