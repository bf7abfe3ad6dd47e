"""What the pipeline is told of holdings and consents."""

from __future__ import annotations

from datetime import date

from engagement.roles import PUBLISH, acting_as
from engagement.scope import Window
from partners import consents
from partners.holdings import holders
from partners.models import Consent, Holding
from tests.cast import Cast

JUNE = Window(date(2026, 6, 1), date(2026, 7, 1))


def test_the_publisher_reads_whose_a_title_is(cast: Cast) -> None:
    Holding.objects.filter(partner=cast.cirrus).update(until=date(2026, 6, 1))
    given = Consent.objects.create(
        partner=cast.borealis, given_to=cast.aurora, title=cast.foreign,
        contract_reference="C-9", from_day=date(2026, 1, 1), recorded_by=cast.stella,
    )  # fmt: skip
    with acting_as(PUBLISH):
        assert holders().consented == ()  # one person said it
    consents.approve(given, by=cast.sam)
    with acting_as(PUBLISH):
        found = holders()
    assert found.partners(cast.shared.pk, JUNE) == {cast.aurora.pk}
    assert found.partners(cast.shared.pk, Window(date(2026, 5, 31), JUNE.until)) == {
        cast.aurora.pk,
        cast.cirrus.pk,
    }
    assert found.territories(cast.shared.pk, JUNE) == {"CN"}
    assert found.territories(cast.film.pk, JUNE) == {"CN"}  # `*` stands for the home market
    assert found.titles(cast.borealis.pk, JUNE) == {cast.foreign.pk}
    assert [(c.title_id, c.partner_id, c.given_to) for c in found.consented] == [
        (cast.foreign.pk, cast.borealis.pk, cast.aurora.pk)
    ]
