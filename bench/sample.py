"""The sample platform: its ingest beside a plain scan, pages, REST, bundles."""

from __future__ import annotations

import argparse
import resource
import sys
from datetime import date
from pathlib import Path
from unittest.mock import patch

import duckdb
from django.conf import settings  # isort: split

from django.core.management import call_command
from django.test import Client
from django.test.utils import override_settings

from bench import ground
from bench.told import Row, seconds, spread
from engagement.models import Title
from engagement.scope import Window
from partners.models import Membership
from portal.sample.generator import generate
from portal.sample.load import load
from reports.build import build
from reports.models import Bundle
from reports.plan import ask_bundle

UNTIL = date(2026, 11, 1)
DAYS = 60


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=300_000, help="about how many rows")
    parser.add_argument("--pages", type=int, default=30, help="times a page is asked for")
    return ground.run(parser, lambda folder, a: measure(folder, a.segments, a.pages))


def measure(folder: Path, segments: int, pages: int) -> list[Row]:
    landing = folder / "landing"
    generate(landing, until=UNTIL, days=DAYS, segments=segments)
    files = str(landing / "segments" / "*.parquet")
    _scan(files)  # the files are in the page cache for both
    scan = min(seconds(lambda: _scan(files)) for _ in range(3))
    rows = duckdb.sql(f"SELECT count(*) FROM '{files}'").fetchall()[0][0]  # noqa: S608
    with patch("sys.stderr.isatty", return_value=False):
        ingest = seconds(lambda: call_command("ingest", str(landing), verbosity=0))
        again = seconds(lambda: call_command("ingest", str(landing), verbosity=0))
        load(landing, segments=segments, say=lambda text: None)
    measured: list[Row] = [
        ("plain DuckDB scan and count of the same segments", f"{scan:.3f} s"),
        (
            f"ingest: {rows:,} segments, {DAYS} days, with danmu, published",
            f"{ingest:.1f} s, {rows / ingest:,.0f} rows/s, {ingest / scan:,.0f} x the scan",
        ),
        ("the same files again (nothing to do)", f"{again:.1f} s"),
    ]
    measured += _pages(pages)
    measured += _bundles()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return [*measured, ("peak memory of this process", f"{peak:.2f} GB")]


def _scan(files: str) -> None:
    duckdb.sql(
        f"SELECT title_id, count(*), sum(to_s - from_s) FROM '{files}' GROUP BY 1"  # noqa: S608
    ).fetchall()


def _member() -> Membership:
    """The owner of the partner whose film is watched most."""
    return Membership.objects.select_related("partner", "user").get(
        partner__slug="ninth-pier", role=Membership.Role.OWNER
    )


def _pages(times: int) -> list[Row]:
    member = _member()
    title = Title.objects.filter(entitlements__partner=member.partner, kind="film").first()
    assert title is not None
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        client = Client()
        client.force_login(
            member.user, backend="allauth.account.auth_backends.AuthenticationBackend"
        )
        root = f"/p/{member.partner.slug}/"
        api = f"/api/v1{root}titles/{title.slug}"
        window = f"?from={UNTIL.replace(month=9, day=2)}&until={UNTIL}"
        found: list[Row] = []
        for what, url in (
            ("portfolio", root),
            ("title page, all days", f"{root}titles/{title.slug}/{window}"),
            ("REST: retention by second, all days", f"{api}/retention/{window}"),
            ("REST: danmu by second, all days", f"{api}/danmu/{window}"),
        ):
            taken = []
            for _ in range(times + 2):
                taken.append(seconds(lambda url=url: _get(client, url)))
            found.append((what, spread(taken[2:])))
    return found


def _get(client: Client, url: str) -> None:
    response = client.get(url)
    if response.status_code != 200:
        raise SystemExit(f"{url}: {response.status_code}")


def _bundles() -> list[Row]:
    member = _member()
    settings.STORAGE_ROOT.mkdir(parents=True, exist_ok=True)
    found: list[Row] = []
    for what, titles in (("one title", 1), ("every title of the partner", None)):
        chosen = None
        if titles:
            chosen = list(
                Title.objects.filter(entitlements__partner=member.partner, kind="film")
                .distinct()
                .values_list("pk", flat=True)[:titles]
            )
        taken = []
        for language in ("zh-hans", "en"):
            bundle = ask_bundle(
                membership=member,
                titles=chosen,
                window=Window(UNTIL.replace(month=10, day=1), UNTIL),
                language=language,
            )
            taken.append(seconds(lambda bundle=bundle: _build(bundle)))
        found.append(
            (f"bundle of {what}, a month", f"first {taken[0]:.1f} s, next {taken[1]:.1f} s")
        )
    return found


def _build(bundle: Bundle) -> None:
    build(bundle.pk)
    bundle.refresh_from_db()
    if bundle.state != Bundle.State.DONE:
        raise SystemExit(f"bundle: {bundle.state} {bundle.problem}")


if __name__ == "__main__":
    sys.exit(main())
