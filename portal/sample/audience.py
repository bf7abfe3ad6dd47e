"""The sample audience: viewers with an age, a place, a device and tastes.

Tastes lean who sees what, so that fan sets and typical viewers are there to be found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portal.sample.catalogue import TITLES, SampleTitle

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

AGES = ("<18", "18-24", "25-30", "31-35", "36-40", "41-50", "51+", "unknown")
AGE_SHARES = (0.05, 0.22, 0.21, 0.14, 0.10, 0.10, 0.06, 0.12)
GENDERS = ("female", "male", "unknown")
GENDER_SHARES = (0.50, 0.42, 0.08)
TERRITORIES = ("CN", "TW", "SG", "MY", "HK", "US")
TERRITORY_SHARES = (0.85, 0.04, 0.035, 0.035, 0.02, 0.02)
HOURS_FROM_SHANGHAI = (0, 0, 0, 0, 0, 13)
DEVICES = ("mobile", "tv", "web", "pad", "")
DEVICE_SHARES = (0.56, 0.24, 0.12, 0.075, 0.005)

REGIONS: dict[str, dict[str, float]] = {
    "CN": {
        "CN-GD": 11.2, "CN-JS": 8.2, "CN-ZJ": 7.4, "CN-SD": 7.0, "CN-HA": 6.3, "CN-SC": 6.4,
        "CN-SH": 5.1, "CN-BJ": 5.0, "CN-HB": 4.4, "CN-HN": 4.6, "CN-HE": 4.3, "CN-AH": 4.0,
        "CN-FJ": 3.4, "CN-SN": 2.9, "CN-LN": 2.8, "CN-JX": 2.7, "CN-CQ": 2.7, "CN-GX": 2.4,
        "CN-YN": 2.0, "CN-TJ": 1.4, "CN-HL": 1.5, "CN-SX": 1.9, "CN-GZ": 1.6, "CN-JL": 1.3,
        "CN-XJ": 1.0, "CN-NM": 1.2, "CN-GS": 1.0, "CN-HI": 0.8, "CN-NX": 0.4, "CN-QH": 0.3,
        "CN-XZ": 0.1,
    },
    "TW": {"TW-TPE": 4, "TW-NWT": 5, "TW-TXG": 3, "TW-KHH": 3, "TW-TNN": 2},
    "SG": {"": 1},
    "MY": {"MY-14": 3, "MY-10": 4, "MY-07": 2, "MY-01": 2, "MY-13": 1},
    "HK": {"": 1},
    "US": {"US-CA": 5, "US-NY": 3, "US-WA": 1, "US-TX": 1},
}  # fmt: skip


@dataclass(frozen=True)
class Audience:
    """Viewers, one array element each; the codes index the tuples above."""

    age: Ints
    gender: Ints
    territory: Ints
    region: NDArray[np.object_]
    device: Ints
    activity: Floats
    mystery: NDArray[np.bool_]
    favourite: NDArray[np.object_]

    @property
    def size(self) -> int:
        return len(self.age)

    def draw(
        self, title: SampleTitle, wanted: int, boost: Floats | None, rng: np.random.Generator
    ) -> Ints:
        """`wanted` distinct viewers of a title (at most half of all), the likelier the keener."""
        weight = self.activity.copy()
        for codes, names in (
            (self.age, AGES),
            (self.gender, GENDERS),
            (self.territory, TERRITORIES),
        ):
            weight *= np.array([title.skew.get(name, 1.0) for name in names])[codes]
        if "悬疑" in title.genres:
            weight *= np.where(self.mystery, 2.0, 1.0)
        weight *= np.where(np.isin(self.favourite, title.cast), 3.0, 1.0)
        if boost is not None:
            weight *= boost
        # Gumbel top-k: a weighted draw without replacement.
        keys = np.log(weight) + rng.gumbel(size=self.size)
        count = min(wanted, self.size // 2)
        return np.sort(np.argpartition(-keys, count)[:count]).astype(np.int64)


def make_audience(size: int, rng: np.random.Generator) -> Audience:
    """`size` viewers."""
    age = _choice(AGE_SHARES, size, rng)
    territory = _choice(TERRITORY_SHARES, size, rng)
    region = np.empty(size, dtype=object)
    for code, name in enumerate(TERRITORIES):
        here = territory == code
        names = list(REGIONS[name])
        region[here] = np.array(names, dtype=object)[
            _choice(tuple(REGIONS[name].values()), int(here.sum()), rng)
        ]
    device = _choice(DEVICE_SHARES, size, rng)
    older_at_tv = (age >= AGES.index("41-50")) & (rng.random(size) < 0.35)
    device[older_at_tv] = DEVICES.index("tv")
    cast = sorted({name for title in TITLES for name in title.cast})
    favourite = np.array(cast, dtype=object)[rng.integers(0, len(cast), size)]
    favourite[rng.random(size) < 0.7] = ""
    return Audience(
        age=age,
        gender=_choice(GENDER_SHARES, size, rng),
        territory=territory,
        region=region,
        device=device,
        activity=rng.lognormal(0.0, 0.6, size),
        mystery=rng.random(size) < 0.3,
        favourite=favourite,
    )


def _choice(shares: tuple[float, ...], size: int, rng: np.random.Generator) -> Ints:
    p: Any = np.array(shares) / sum(shares)
    return rng.choice(len(shares), size=size, p=p).astype(np.int64)
