"""What the report's figures say of a title's results."""

from __future__ import annotations

from dataclasses import replace

from reports.render import figures
from tests.reports import film


def test_what_is_hidden_stands_in_the_order_of_the_columns() -> None:
    data = {"survival_5": [None], "survival_10": [None], "survival_100": [None]}
    reasons = ";".join(f"{column}:too_uncertain" for column in sorted(data))
    answer = replace(film.moments(), data={**data, "hidden_reason": [reasons]})
    told = figures.hidden({"demographics": answer})
    assert [entry.column for entry in told] == ["survival_5", "survival_10", "survival_100"]
