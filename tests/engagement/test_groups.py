"""Noised cells merged to a partition: every cell at the floor, nothing left over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engagement.pipeline.groups import Group, demographics, geography
from engagement.pipeline.weeks import (
    AGES,
    GENDERS,
    Cell,
    demographic_cells,
    geographic_cells,
)

FLOOR = 50


def counts_of(cells: tuple[Cell, ...]) -> st.SearchStrategy[dict[Cell, int]]:
    """Noised counts may be below 0."""
    number = st.one_of(st.integers(-8, 60), st.integers(-8, 5000))
    return st.fixed_dictionaries(dict.fromkeys(cells, number))


def size(group: Group, counts: dict[Cell, int]) -> int:
    return sum(counts[c] for c in group.cells)


def is_partition(groups: list[Group], counts: dict[Cell, int]) -> None:
    covered = [c for g in groups for c in g.cells]
    assert sorted(covered) == sorted(counts)
    assert len({g.names for g in groups}) == len(groups)


@given(counts_of(demographic_cells("CN")))
def test_ages_by_gender_are_a_partition_at_the_floor(counts: dict[Cell, int]) -> None:
    groups = demographics(counts, FLOOR)
    is_partition(groups, counts)
    for group in groups:
        ages, gender = group.names
        if len(groups) == 1:
            continue  # all there is: shown or hidden as a whole
        if ages == "*" or gender == "*":
            assert size(group, counts) >= FLOOR
        else:
            assert size(group, counts) >= 2 * FLOOR


@given(counts_of((*geographic_cells("CN"), *geographic_cells("SG"), *geographic_cells("other"))))
def test_regions_are_a_partition_at_the_floor(counts: dict[Cell, int]) -> None:
    groups = geography(counts, FLOOR)
    is_partition(groups, counts)
    if len(groups) > 1:
        assert min(size(g, counts) for g in groups) >= FLOOR


def test_a_large_audience_is_shown_as_it_is() -> None:
    counts = dict.fromkeys(demographic_cells("CN"), 500)
    assert [g.names for g in demographics(counts, FLOOR)] == [
        (age, gender) for gender in GENDERS for age in AGES
    ]


def test_900_viewers_still_have_ages_and_genders() -> None:
    shares = {"18-24": 300, "25-30": 250, "31-35": 120, "36-40": 80, "41-50": 60, "51+": 30}
    counts = {
        (age, gender): shares.get(age, 10) * {"female": 60, "male": 38, "unknown": 2}[gender] // 100
        for age, gender in demographic_cells("CN")
    }
    assert [(g.names, size(g, counts)) for g in demographics(counts, FLOOR)] == [
        (("18-24", "female|unknown"), 186),
        (("25-30", "female|unknown"), 155),
        (("31+|unknown", "female|unknown"), 184),
        (("18-24", "male"), 114),
        (("25+|unknown", "male"), 206),
    ]


def test_genders_too_few_are_not_told_apart() -> None:
    counts = {(a, g): 30 if g == "female" else 1 for a, g in demographic_cells("CN")}
    assert {g.names[1] for g in demographics(counts, FLOOR)} == {"*"}


def test_a_negative_unknown_does_not_pull_a_gender_under_the_floor() -> None:
    counts = dict.fromkeys(demographic_cells("CN"), 0)
    counts |= {("18-24", "female"): 52, ("18-24", "male"): 51, ("18-24", "unknown"): -8}
    shown = demographics(counts, 50)
    assert [(g.names, sum(counts[c] for c in g.cells)) for g in shown] == [(("*", "*"), 95)]


def test_small_provinces_stand_with_the_rest_of_their_area() -> None:
    counts = dict.fromkeys(geographic_cells("CN"), 200)
    counts["southwest", "CN-XZ"] = 3
    counts["northwest", "CN-QH"] = 30
    counts["northwest", "CN-NX"] = 25
    counts["", "unknown"] = 80
    names = {g.names[1]: sorted(r for _, r in g.cells) for g in geography(counts, FLOOR)}
    assert "CN-XZ" not in names
    assert names["CN-southwest-rest"] == ["CN-CQ", "CN-XZ"]  # Tibet's three need a companion
    assert names["CN-northwest-rest"] == ["CN-NX", "CN-QH"]
    assert names["CN-SH"] == ["CN-SH"]
    assert names["unknown"] == ["unknown"]


def test_a_country_with_few_is_in_the_rest() -> None:
    counts = {**dict.fromkeys(geographic_cells("CN"), 100), ("", "SG"): 20, ("", "other"): 40}
    names = {g.names[1]: g.cells for g in geography(counts, FLOOR)}
    assert set(names["rest"]) == {("", "SG"), ("", "other")}
