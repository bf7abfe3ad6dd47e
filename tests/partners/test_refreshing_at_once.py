"""Two of the staff at once: one approves a grant while another ends what it rests on.

Case 78: whoever is first, nothing stays open that is not held. Both commit, in threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest
from django.db import connections, transaction

from engagement.models import Ingest, Source, Title, TitleChange
from partners import grants, title_changes
from partners.models import Grant, Holding
from partners.refreshing import refresh
from tests.cast import Cast, make_cast
from tests.engagement.apart import wait_for_lock
from tests.partners.proposals import open_now, proposed

pytestmark = pytest.mark.django_db(transaction=True)

ENDS = ("holding", "parent")


@pytest.fixture
def proposal() -> tuple[Cast, Grant, Title]:
    """Of a series with one episode, which Aurora holds."""
    cast = make_cast()
    series = Title.objects.create(key="s", slug="s", kind="series", name_zh="剧")
    part = Title.objects.create(key="s-1", slug="s-1", kind="episode", name_zh="集", parent=series)
    Holding.objects.create(partner=cast.aurora, title=part, territories=["*"])
    return cast, proposed(cast, series), part


def ending(cast: Cast, part: Title, how: str) -> Callable[[], object]:
    """What takes the episode out of what the grant opens."""
    if how == "parent":
        source = Source.objects.create(
            name="t.csv", sha256="0" * 64, kind="titles", ingest=Ingest.objects.create()
        )
        change = TitleChange.objects.create(title=part, kind="episode", source=source)
        return lambda: title_changes.accept(change, by=cast.sam)

    def removed() -> None:
        Holding.objects.filter(title=part).delete()
        refresh([part.pk], by=cast.sam)

    return removed


class Together:
    """Steps in transactions of their own; each may be kept open until told to commit."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.threads = threads

    def begin(self, step: Callable[[], object]) -> tuple[Future[None], Event]:
        """Returns once the step is made, in a transaction that ends with the event."""
        made, commit = Event(), Event()

        def run() -> None:
            try:
                with transaction.atomic():
                    step()
                    made.set()
                    assert commit.wait(20)
            finally:
                connections.close_all()

        running = self.threads.submit(run)
        assert made.wait(20), running.exception(0)
        return running, commit

    def waits(self, step: Callable[[], object]) -> Future[None]:
        """Returns once the step waits for the one that is open."""

        def run() -> None:
            try:
                with transaction.atomic():
                    step()
            finally:
                connections.close_all()

        running = self.threads.submit(run)
        wait_for_lock()
        return running


@pytest.fixture
def together() -> Iterator[Together]:
    with ThreadPoolExecutor(2) as threads:
        yield Together(threads)


@pytest.mark.parametrize("how", ENDS)
def test_case_78_what_ends_during_an_approval_is_closed(
    proposal: tuple[Cast, Grant, Title], together: Together, how: str
) -> None:
    cast, grant, part = proposal
    approval, commit = together.begin(lambda: grants.approve(grant, by=cast.sam))
    end = together.waits(ending(cast, part, how))
    commit.set()
    approval.result(20)
    end.result(20)
    assert open_now(grant) == ["s"]


@pytest.mark.parametrize("how", ENDS)
def test_case_78_an_approval_during_the_end_opens_what_is_left(
    proposal: tuple[Cast, Grant, Title], together: Together, how: str
) -> None:
    cast, grant, part = proposal
    seen = grants.digest(grants.opens(grant))
    end, commit = together.begin(ending(cast, part, how))
    approval = together.waits(lambda: grants.approve(grant, by=cast.sam, seen=seen))
    commit.set()
    end.result(20)
    with pytest.raises(grants.GrantError):
        approval.result(20)  # it is not what was seen
    grants.approve(grant, by=cast.sam)
    assert open_now(grant) == ["s"]
