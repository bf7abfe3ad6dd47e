"""One rendering for all who may see the same, and for nobody else."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from engagement.scope import Window
from partners import grants
from partners.models import Membership
from reports import build as building
from reports import renderings, storage
from reports.build import build
from reports.downloads import purge
from reports.models import Artefact, Bundle, Rendering
from reports.plan import ask_bundle
from reports.render import renderer
from reports.renderings import key_of
from tests.cast import DAY, DAYS, Cast, make_cast
from tests.reports import film
from tests.reports.conftest import SCOPE, Rendered

WHOLE = Window(DAY, DAY + timedelta(days=DAYS))
TextOf = Callable[[bytes], str]


def made(member: Membership, *titles: int, language: str = "en", **asked: Any) -> Bundle:
    values = {"titles": list(titles) or None, "window": WHOLE, "language": language, **asked}
    bundle = ask_bundle(membership=member, **values)
    assert build(bundle.pk)
    return Bundle.objects.select_related("artefact", "rendering").get(pk=bundle.pk)


def archive_of(bundle: Bundle) -> zipfile.ZipFile:
    with storage.open_stored(bundle.artefact.path) as file:
        return zipfile.ZipFile(io.BytesIO(file.read()))


def test_two_who_may_see_the_same_share_a_rendering_and_nothing_that_names_them(
    cast: Cast, storage: Path, monkeypatch: pytest.MonkeyPatch, text_of: TextOf
) -> None:
    real, calls = renderer.render, []

    def counted(*arguments: Any) -> bytes:
        calls.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(renderer, "render", counted)
    of_alice, of_amy = made(cast.alice, cast.film.pk), made(cast.amy, cast.film.pk)
    assert len(calls) == 1
    assert of_alice.rendering == of_amy.rendering
    first, second = archive_of(of_alice), archive_of(of_amy)
    assert first.namelist() == second.namelist()
    own = {"report.pdf", "datapackage.json", "manifest.json"}
    for name in first.namelist():
        assert (first.read(name) == second.read(name)) == (name not in own)
    for bundle, archive, name, other in (
        (of_alice, first, "Alice", of_amy),
        (of_amy, second, "Amy", of_alice),
    ):
        text = text_of(archive.read("report.pdf"))
        assert f"For {name} Made" in text
        assert str(bundle.pk) in text
        whole = b"".join(archive.read(member) for member in archive.namelist())
        assert str(other.pk).encode() not in whole
        manifest = json.loads(archive.read("manifest.json"))
        assert (manifest["recipient"], manifest["bundle"]) == (name, str(bundle.pk))
        for file in manifest["files"]:
            assert hashlib.sha256(archive.read(file["path"])).hexdigest() == file["sha256"]
        digest = hashlib.sha256(archive.read("report.pdf")).hexdigest()
        assert bundle.artefact.plain_sha256 == digest
    unstamped = calls[0][0]
    assert (unstamped.recipient_name, unstamped.bundle_id) == ("", "")


def test_what_differs_in_one_respect_has_another_rendering(cast: Cast, rendered: Rendered) -> None:
    """Nothing is shared between scopes that differ, nor between what is shown differently."""
    shared = cast.film.pk
    keys = [made(cast.alice, shared).rendering.key]  # type: ignore[union-attr]
    assert made(cast.amy, shared).rendering.key == keys[0]  # type: ignore[union-attr]

    def differs(bundle: Bundle) -> None:
        assert bundle.rendering is not None
        assert bundle.rendering.key not in keys
        keys.append(bundle.rendering.key)
        assert len(rendered) == len(keys)

    differs(made(cast.amy, shared, language="zh-hans"))
    differs(made(cast.amy, shared, formats=["xlsx"]))
    differs(made(cast.amy, shared, paper="letter"))
    differs(made(cast.amy, shared, window=Window(DAY, DAY + timedelta(days=DAYS - 1))))
    cast.amy.limit_families = ["viewing"]
    cast.amy.save()
    differs(made(cast.amy, shared))
    cast.amy.limit_families = ["viewing", "retention"]
    cast.amy.save()
    differs(made(cast.amy, shared))
    differs(made(cast.alice))  # every title of the partner
    cast.amy.limit_families, cast.amy.limit_titles = None, [cast.film.pk]
    cast.amy.save()
    assert made(cast.amy).rendering.key == keys[0]  # type: ignore[union-attr]
    grants.revoke(cast.grants["film"], by=cast.stella)
    cast.grant(cast.aurora, cast.film, territories=["CN"])
    differs(made(cast.amy))


def test_the_same_numbers_under_another_territory_or_end_are_another_rendering() -> None:
    under = [{"title_id": 1, "family": "viewing", "territory": "*", "from": "2026-01-01"}]
    partner = UUID(int=1)
    key = key_of(film.REPORT, under, partner)
    assert key == key_of(film.REPORT, [dict(under[0])], partner)
    for change in ({"territory": "CN"}, {"family": "retention"}, {"title_id": 2}, {"from": "x"}):
        assert key_of(film.REPORT, [{**under[0], **change}], partner) != key
    assert key_of(film.REPORT, under, UUID(int=2)) != key


def test_only_the_recipient_the_bundle_and_the_time_of_making_are_not_in_the_key() -> None:
    partner = UUID(int=1)
    key = key_of(film.REPORT, [], partner)
    later = film.REPORT.created_at + timedelta(hours=1)
    own = replace(film.REPORT, recipient_name="Amy", bundle_id="x", created_at=later)
    assert key_of(own, [], partner) == key
    title = replace(film.FILM, results={"retention": film.FILM.results["retention"]})
    report = replace(film.REPORT, titles=(title,))
    key = key_of(report, [], partner)
    numbers = dict(title.results["retention"].data)
    numbers["starts"] = [*numbers["starts"][:-1], 999_999]
    cell = replace(title.results["retention"], data=numbers)
    for changed in (
        replace(report, partner_name="x"),
        replace(report, portal_name="x"),
        replace(report, releases=("x",)),
        replace(report, sample=not report.sample),
        replace(report, titles=(replace(title, name_en="x"),)),
        replace(report, titles=(replace(title, moments=title.moments[1:]),)),
        replace(report, titles=(replace(title, before=title.results),)),
        replace(report, titles=(replace(title, results={"retention": cell}),)),
    ):
        assert key_of(changed, [], partner) != key


def test_two_partners_with_equal_grants_share_neither_rendering_nor_bytes(
    cast: Cast, storage: Path
) -> None:
    cast.grant(cast.cirrus, cast.film)
    ours, theirs = made(cast.alice, cast.film.pk), made(cast.cleo, cast.film.pk)
    assert ours.rendering is not None
    assert theirs.rendering is not None
    assert ours.rendering.key != theirs.rendering.key
    assert ours.rendering.sha256 != theirs.rendering.sha256
    with storage_of(theirs) as file:
        whole = b"".join(file.read(name) for name in file.namelist())
    assert "极光影业".encode() not in whole
    assert b"Aurora" not in whole


def storage_of(bundle: Bundle) -> zipfile.ZipFile:
    assert bundle.rendering is not None
    with storage.open_stored(bundle.rendering.path) as file:
        return zipfile.ZipFile(io.BytesIO(file.read()))


def test_numbers_that_changed_are_rendered_anew(cast: Cast, rendered: Rendered) -> None:
    before = made(cast.alice, cast.film.pk).rendering
    with connection.cursor() as cursor:
        cursor.execute("UPDATE engagement_viewingfact SET plays = plays + 1 WHERE plays > 0")
        assert cursor.rowcount
    after = made(cast.amy, cast.film.pk).rendering
    assert before is not None
    assert after is not None
    assert before.key != after.key


def test_a_rendering_whose_file_is_gone_or_not_its_own_is_made_again(
    cast: Cast, rendered: Rendered, storage: Path
) -> None:
    bundle = made(cast.alice, cast.film.pk)
    assert bundle.rendering is not None
    file = storage / bundle.rendering.path
    file.unlink()
    made(cast.amy, cast.film.pk)
    assert len(rendered) == 2
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    made(cast.alice, cast.film.pk)
    assert len(rendered) == 3
    assert Rendering.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_want_one_rendering_make_it_once(
    transactional_db: None, rendered: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast = make_cast()
    quick, inside = renderer.render, threading.Event()

    def slow(*arguments: Any) -> bytes:
        inside.set()
        time.sleep(1)
        return quick(*arguments)

    monkeypatch.setattr(renderer, "render", slow)
    bundles = [
        ask_bundle(membership=m, titles=[cast.film.pk], window=WHOLE, language="en")
        for m in (cast.alice, cast.amy)
    ]
    answers = []

    def work(bundle: Bundle) -> None:
        try:
            answers.append(building.build(bundle.pk))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(bundle,)) for bundle in bundles]
    threads[0].start()
    assert inside.wait(30)
    threads[1].start()
    for thread in threads:
        thread.join()
    assert answers == [True, True]
    assert len(rendered) == 1
    assert Rendering.objects.count() == 1
    assert len(set(Artefact.objects.values_list("sha256", flat=True))) == 2


def test_a_worker_that_waits_for_another_is_stopped_as_one_that_renders(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(_key: str) -> Any:
        return nullcontext(enter_result=False)

    def stop() -> Iterator[None]:
        yield
        raise ZeroDivisionError

    stops = stop()
    monkeypatch.setattr(renderings, "_alone", elsewhere)
    with pytest.raises(ZeroDivisionError):
        renderings.make_files(film.REPORT, SCOPE, [], cast.alice, lambda: next(stops))


def test_a_rendering_of_no_kept_bundle_is_purged_with_its_file(
    cast: Cast, rendered: Rendered, storage: Path
) -> None:
    """P5: what was granted no longer lies there for long, whether anybody could fetch it or not."""
    bundle = made(cast.alice, cast.film.pk)
    assert bundle.rendering is not None
    file = storage / bundle.rendering.path
    Rendering.objects.update(made_at=timezone.now() - timedelta(hours=2))
    purge()
    assert Rendering.objects.exists()  # a kept bundle is made of it
    grants.revoke(cast.grants["film"], by=cast.stella)
    grants.revoke(cast.grants["shared"], by=cast.stella)
    old = time.time() - 7200
    os.utime(file, (old, old))
    purge()
    assert not Rendering.objects.exists()
    assert not file.exists()
