"""partners/title_changes.py: a title's new parent or kind waits for a second person."""

from __future__ import annotations

import pytest

from engagement.models import Ingest, Source, Title, TitleChange
from partners import grants, title_changes
from partners.models import AuditEvent
from tests.cast import Cast
from tests.partners.proposals import open_now, proposed


@pytest.fixture
def move(cast: Cast, series: dict[str, Title]) -> TitleChange:
    """A titles file asks to move Aurora's film into the series."""
    source = Source.objects.create(
        name="titles.csv",
        sha256="0" * 64,
        kind="titles",
        format="native",
        state="live",
        ingest=Ingest.objects.create(),
    )
    return TitleChange.objects.create(
        title=cast.film, kind="episode", parent=series["s"], source=source
    )


def test_a_title_change_shows_who_gains_and_changes_nothing_until_accepted(
    cast: Cast, series: dict[str, Title], move: TitleChange
) -> None:
    grant = proposed(cast, series["s"])
    grants.approve(grant, by=cast.sam)
    before = AuditEvent.objects.count()

    seen = title_changes.effects(move)
    assert [(e.grant.pk, e.title.slug, e.gains) for e in seen] == [(grant.pk, "film", True)]
    cast.film.refresh_from_db()
    assert (cast.film.parent, cast.film.kind) == (None, "film")
    assert open_now(grant) == ["s", "s-1"]
    assert AuditEvent.objects.count() == before

    title_changes.accept(move, by=cast.sam)
    cast.film.refresh_from_db()
    assert (cast.film.parent, cast.film.kind) == (series["s"], "episode")
    assert open_now(grant) == ["film", "s", "s-1"]
    with pytest.raises(title_changes.TitleChangeError):
        title_changes.refuse(move, by=cast.stella)


def test_a_child_that_moves_away_is_lost(
    cast: Cast, series: dict[str, Title], move: TitleChange
) -> None:
    grant = proposed(cast, series["s"])
    grants.approve(grant, by=cast.sam)
    TitleChange.objects.filter(pk=move.pk).update(title=series["s-1"], kind="film", parent=None)
    move.refresh_from_db()
    assert [(e.title.slug, e.gains) for e in title_changes.effects(move)] == [("s-1", False)]
    title_changes.accept(move, by=cast.sam)
    assert open_now(grant) == ["s"]


def test_a_refused_title_change_leaves_the_title(cast: Cast, move: TitleChange) -> None:
    title_changes.refuse(move, by=cast.sam)
    cast.film.refresh_from_db()
    move.refresh_from_db()
    assert (cast.film.kind, move.accepted) == ("film", False)
