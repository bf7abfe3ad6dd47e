"""A bundle from the wish to the file: what is in it, under which scope, and how it ends."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import frictionless
import pikepdf
import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from engagement.families.registry import FAMILIES, RESOURCES
from engagement.scope import Refused, Window
from partners import grants
from partners.access import scope_for
from partners.models import AuditEvent, Membership
from reports import jobs, storage
from reports.build import build
from reports.models import Artefact, Bundle, Delivery
from reports.plan import CannotAsk, ask_bundle, covered
from tests.cast import CANARY, DAY, DAYS, Cast

WHOLE = Window(DAY, DAY + timedelta(days=DAYS))
pytestmark = pytest.mark.usefixtures("storage")


def ask(
    member: Membership,
    *titles: object,
    window: Window = WHOLE,
    language: str = "en",
    formats: tuple[str, ...] = (),
) -> Bundle:
    ids = [t.pk for t in titles] if titles else None  # type: ignore[attr-defined]
    return ask_bundle(
        membership=member, titles=ids, window=window, language=language, formats=formats
    )


def built(bundle: Bundle) -> tuple[Bundle, zipfile.ZipFile]:
    assert build(bundle.pk)
    bundle = Bundle.objects.get(pk=bundle.pk)
    with storage.open_stored(bundle.artefact.path) as file:
        return bundle, zipfile.ZipFile(io.BytesIO(file.read()))


def test_a_bundle_holds_a_table_for_each_resource_granted_and_one_mail_is_queued(
    cast: Cast, tmp_path: Path
) -> None:
    bundle, archive = built(ask(cast.alice, formats=("parquet", "xlsx")))
    assert bundle.state == "done"
    assert (bundle.progress, bundle.step, bundle.attempts) == (100, "", 1)
    assert sorted(archive.namelist()) == sorted(
        [
            *(f"data/{slug}/{name}.csv" for slug in ("film", "shared") for name in RESOURCES),
            *(f"data/{slug}/{name}.parquet" for slug in ("film", "shared") for name in RESOURCES),
            "data.xlsx",
            "datapackage.json",
            "manifest.json",
            "report.pdf",
        ]
    )
    [delivery] = Delivery.objects.filter(bundle=bundle)
    assert (delivery.state, delivery.address) == ("queued", "alice@example.com")
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["bundle"] == str(bundle.pk)
    slugs = {cast.film.pk: "film", cast.shared.pk: "shared"}
    assert manifest["scope"] == [{"title": slugs[t["title_id"]], **t} for t in bundle.scope]
    assert {(s["title_id"], s["family"], s["territory"]) for s in bundle.scope} == {
        (title, family, territory)
        for title, territory in ((cast.film.pk, "*"), (cast.shared.pk, "CN"))
        for family in (*FAMILIES, "danmu|retention")
    }
    assert {(s["from"], s["until"]) for s in bundle.scope} == {
        ("2026-01-01", "2026-01-11"),
        ("2025-12-22", "2026-01-01"),  # the days before, which it is compared with
    }
    assert not [n for n in archive.namelist() if str(CANARY).encode() in archive.read(n)]
    archive.extractall(tmp_path)
    checked = frictionless.validate(str(tmp_path / "datapackage.json"))
    assert checked.valid, checked.flatten(["message"])


def test_comments_in_a_bundle_are_only_those_that_may_leave(cast: Cast) -> None:
    _, archive = built(ask(cast.alice, cast.film))
    text = archive.read("data/film/danmu_comments.csv").decode("utf-8-sig")
    assert "哈哈哈 CN 01" in text  # of three senders
    assert "哈哈哈 CN 02" not in text  # of one


def test_the_same_bundle_built_twice_is_the_same_bytes(cast: Cast) -> None:
    bundle, _ = built(ask(cast.alice, cast.film))
    first = bundle.artefact.sha256
    Artefact.objects.all().delete()
    Delivery.objects.all().delete()
    Bundle.objects.update(state="queued")
    again, _ = built(bundle)
    assert again.artefact.sha256 == first


def test_a_title_that_is_not_granted_is_refused_as_one_that_does_not_exist(cast: Cast) -> None:
    for title_id in (cast.hidden.pk, cast.foreign.pk, 10**9):
        with pytest.raises(Refused):
            ask_bundle(
                membership=cast.alice,
                titles=[cast.film.pk, title_id],
                window=WHOLE,
                language="en",
            )
    assert not Bundle.objects.exists()


def test_the_same_wish_in_another_format_or_on_other_paper_is_another_bundle(cast: Cast) -> None:
    plain = ask(cast.alice)
    both = ask(cast.alice, formats=("parquet", "xlsx", "parquet"))
    assert (plain.formats, both.formats) == ([], ["xlsx", "parquet"])
    assert ask(cast.alice, formats=("xlsx", "parquet")) == both
    letter = ask_bundle(
        membership=cast.alice, titles=None, window=WHOLE, language="en", paper="letter"
    )
    assert len({plain, both, letter}) == 3
    assert AuditEvent.objects.get(target=both.pk).detail["formats"] == ["xlsx", "parquet"]
    for wrong in ({"formats": ["docx"]}, {"paper": "a3"}, {"language": "fr"}):
        asked = {"titles": None, "window": WHOLE, "language": "en", **wrong}
        with pytest.raises(ValueError, match="no such"):
            ask_bundle(membership=cast.alice, **asked)


def test_p19_one_partner_fills_no_queue_that_another_waits_in(cast: Cast) -> None:
    """A hundred wishes of two members: twenty wait, and room comes back as they are made."""
    kept, refused = [], 0
    for n in range(100):
        member = (cast.alice, cast.amy)[n % 2]
        window = Window(DAY - timedelta(days=n), DAY + timedelta(days=DAYS))
        try:
            kept.append(ask(member, window=window))
        except CannotAsk:
            refused += 1
    assert (len(kept), refused) == (20, 80)
    assert ask(cast.alice, window=WHOLE).pk == kept[0].pk  # the same wish is the one that waits
    assert ask(cast.bob).state == "queued"
    Bundle.objects.filter(pk=kept[0].pk).update(state="done")
    assert ask(cast.alice).pk not in {b.pk for b in kept}


def test_a_viewer_may_not_ask(cast: Cast) -> None:
    with pytest.raises(CannotAsk):
        ask(cast.victor)


def test_a_period_without_a_settled_day_cannot_be_asked_for(cast: Cast) -> None:
    today = timezone.localdate()
    with pytest.raises(CannotAsk):
        ask(cast.alice, window=Window(today - timedelta(days=1), today + timedelta(days=1)))


def test_a_period_is_cut_to_its_settled_days_when_it_is_asked_for(cast: Cast) -> None:
    bundle = ask(cast.alice, window=Window(DAY, timezone.localdate() + timedelta(days=9)))
    assert bundle.until == timezone.localdate() - timedelta(days=2)


def test_the_same_wish_twice_is_one_bundle(cast: Cast) -> None:
    assert ask(cast.alice, cast.film) == ask(cast.alice, cast.film)
    assert ask(cast.alice, cast.film) != ask(cast.alice, cast.film, language="zh-hans")
    assert ask(cast.alice) == ask(cast.alice)
    assert Bundle.objects.count() == 3


def test_a_period_without_any_number_has_nothing_to_report(cast: Cast) -> None:
    bundle = ask(cast.alice, window=Window(date(2025, 6, 1), date(2025, 7, 1)))
    assert not build(bundle.pk)
    bundle.refresh_from_db()
    assert (bundle.state, bundle.failure) == ("failed", "nothing")
    assert not Delivery.objects.exists()


def test_a_grant_revoked_before_the_build_makes_no_file(cast: Cast, storage: Path) -> None:
    bundle = ask(cast.alice, cast.film)
    grants.revoke(cast.grants["film"], by=cast.sam)
    assert not build(bundle.pk)
    bundle.refresh_from_db()
    assert (bundle.state, bundle.failure) == ("failed", "refused")
    assert not list(storage.rglob("*.zip"))


@pytest.mark.usefixtures("rendered")
def test_a_grant_revoked_during_the_build_ends_it(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = storage.put

    def revoke_meanwhile(content: bytes) -> storage.Stored:
        grants.revoke(cast.grants["film"], by=cast.sam)
        return put(content)

    monkeypatch.setattr(storage, "put", revoke_meanwhile)
    bundle = ask(cast.alice, cast.film)
    assert not build(bundle.pk)
    bundle.refresh_from_db()
    assert (bundle.state, bundle.failure) == ("failed", "refused")
    assert not Artefact.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.usefixtures("rendered")
def test_a_full_disk_is_tried_again_and_leaves_no_partial_file(
    cast: Cast, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 15."""
    bundle = ask(cast.alice, cast.film)
    with monkeypatch.context() as full:
        full.setattr("reports.stores.os.fsync", _no_space)
        assert not build(bundle.pk)
    bundle.refresh_from_db()
    assert (bundle.state, bundle.failure) == ("queued", "trouble")
    assert "No space left" in bundle.problem
    assert [p for p in storage.rglob("*") if p.is_file()] == []
    assert not build(bundle.pk)  # not due yet
    Bundle.objects.update(due_at=timezone.now())
    assert build(bundle.pk)


def test_a_bundle_that_takes_too_long_has_failed_in_words(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_: object) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr("reports.build.make_files", hang)
    bundle = ask(cast.alice, cast.film)
    assert not build(bundle.pk)
    bundle.refresh_from_db()
    assert (bundle.state, bundle.failure) == ("failed", "broken")
    assert bundle.problem == "it took longer than a bundle may"


def test_a_bell_is_rung_again_once_however_many_sweeps_there_are(cast: Cast) -> None:
    bundle = ask(cast.alice, cast.film)
    assert jobs.sweep() == []  # rung for when it was asked: not yet again
    Bundle.objects.update(ring_at=timezone.now())
    assert jobs.sweep() == [bundle.pk]
    assert jobs.sweep() == []


@pytest.mark.usefixtures("rendered")
def test_an_attempt_that_lost_its_lease_discards_what_it_made(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = storage.put

    def taken_meanwhile(content: bytes) -> storage.Stored:
        Bundle.objects.update(attempts=2)  # as another worker's claim does
        return put(content)

    monkeypatch.setattr(storage, "put", taken_meanwhile)
    bundle = ask(cast.alice, cast.film)
    assert not build(bundle.pk)
    bundle.refresh_from_db()
    assert (bundle.state, bundle.attempts) == ("running", 2)
    assert not Artefact.objects.exists()
    assert not Delivery.objects.exists()


def test_a_job_that_is_held_is_not_claimed_twice(cast: Cast) -> None:
    """Fault 3."""
    bundle = ask(cast.alice, cast.film)
    assert jobs.claim(Bundle, bundle.pk) is not None
    assert jobs.claim(Bundle, bundle.pk) is None


def test_asking_is_recorded(cast: Cast) -> None:
    bundle = ask(cast.amy, cast.film)
    event = AuditEvent.objects.get(action="bundle.asked")
    assert (event.actor, event.target) == (cast.amy.user, str(bundle.pk))


@pytest.mark.usefixtures("rendered")
def test_a_stored_scope_is_covered_by_grants_that_meet_but_not_by_less(cast: Cast) -> None:
    bundle, _ = built(ask(cast.alice, cast.film))
    grants.revoke(cast.grants["film"], by=cast.sam)
    middle = DAY + timedelta(days=5)
    cast.grant(cast.aurora, cast.film, data_until=middle)
    assert not covered(bundle, scope_for(cast.alice, "export"))
    second = cast.grant(cast.aurora, cast.film, data_from=middle)
    assert covered(bundle, scope_for(cast.alice, "export"))
    grants.revoke(second, by=cast.sam)
    cast.grant(cast.aurora, cast.film, data_from=middle, families=["viewing", "retention"])
    assert not covered(bundle, scope_for(cast.alice, "export"))


@pytest.mark.usefixtures("rendered")
def test_numbers_of_two_families_are_covered_by_one_grant_alone(cast: Cast) -> None:
    bundle, _ = built(ask(cast.alice, cast.film))
    grants.revoke(cast.grants["film"], by=cast.sam)
    cast.grant(cast.aurora, cast.film, families=[f for f in FAMILIES if f != "danmu"])
    cast.grant(cast.aurora, cast.film, families=["danmu"])
    assert not covered(bundle, scope_for(cast.alice, "export"))
    cast.grant(cast.aurora, cast.film, families=["retention", "danmu"])
    assert covered(bundle, scope_for(cast.alice, "export"))


def test_a_bundle_of_a_member_with_a_limit_stays_inside_it(cast: Cast) -> None:
    Membership.objects.filter(pk=cast.amy.pk).update(
        limit_titles=[cast.film.pk], limit_families=["danmu"]
    )
    cast.amy.refresh_from_db()
    _, archive = built(ask(cast.amy))
    assert sorted(n for n in archive.namelist() if n.startswith("data/")) == [
        "data/film/danmu.csv",
        "data/film/danmu_comments.csv",
        "data/film/danmu_phrases.csv",
    ]


def _no_space(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_bundle_is_written_in_both_languages_and_holds_what_is_asked_for(
    cast: Cast, text_of: Callable[[bytes], str]
) -> None:
    asked = ask_bundle(
        membership=cast.alice,
        titles=[cast.film.pk],
        window=WHOLE,
        language="both",
        paper="letter",
        formats=["pdfa"],
    )
    _, archive = built(asked)
    pdf = archive.read("report.pdf")
    text = text_of(pdf)
    for said in (
        "极光影业 · Aurora",
        "长夜",
        "The Long Night",
        "播放次数",
        "Plays by day",
        "Alice",
    ):
        assert said in text
    with pikepdf.open(io.BytesIO(pdf)) as document:
        inside = {name: spec.get_file().read_bytes() for name, spec in document.attachments.items()}
        assert round(float(document.pages[0].mediabox[2])) == 612
    assert inside == {
        f"film.{name}.csv": archive.read(f"data/film/{name}.csv") for name in RESOURCES
    }
