"""Fifty partners, each with its own report and files, delivered to one recipient each.

The real thing: queued rows, a broker, Celery workers, an SMTP server. The film is the sample's, so
each report has the pages of a month; nothing is shared between partners, so each is set anew.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from unittest.mock import patch

import pikepdf
from django.conf import settings  # isort: split

from celery import current_app
from django.core.management import call_command

from bench import ground
from bench.told import Row
from engagement.families.registry import FAMILIES
from engagement.models import Title
from engagement.scope import Window
from partners import grants
from partners.models import Grant, Membership, Partner, User
from portal.sample.generator import generate
from portal.sample.load import load
from reports import storage
from reports.models import Bundle, Delivery
from reports.plan import ask_bundle
from tests.background import Background, Broker, Mailbox

UNTIL = date(2026, 11, 1)
WINDOW = Window(UNTIL.replace(month=10, day=1), UNTIL)
LONGEST_S = 900


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=300_000, help="about how many rows")
    parser.add_argument("--partners", type=int, default=50)
    return ground.run(parser, lambda folder, a: measure(folder, a.segments, a.partners))


def measure(folder: Path, segments: int, partners: int) -> list[Row]:
    landing = folder / "landing"
    generate(landing, until=UNTIL, days=60, segments=segments)
    with patch("sys.stderr.isatty", return_value=False):
        call_command("ingest", str(landing), verbosity=0)
        load(landing, segments=segments, say=lambda text: None)
    Delivery.objects.all().delete()
    Bundle.objects.all().delete()  # the sample's own, which would be built along
    members = _members(partners)
    rows: list[Row] = []
    taken: dict[int, float] = {}
    for workers in (1, 2):
        taken[workers] = _deliver(folder / str(workers), members, workers)
        rows.append((f"{partners} partners, {workers} worker(s)", f"{taken[workers]:.1f} s"))
    rows.append(("two workers against one", f"{taken[1] / taken[2]:.2f} x"))
    return [*rows, ("pages and bytes of one PDF", _size())]


def _members(count: int) -> list[Membership]:
    """Of new partners, each with a grant for the sample's most watched film."""
    title = Title.objects.filter(kind="film", entitlements__partner__slug="ninth-pier").first()
    assert title is not None
    makers = [
        User.objects.create_superuser(f"{n}@bench.example.com", name=n) for n in ("maker", "second")
    ]
    members = []
    for n in range(count):
        partner = Partner.objects.create(
            slug=f"bench-{n}", name_zh=f"测试{n}", name_en=f"Bench {n}"
        )
        grant = Grant.objects.create(
            partner=partner, families=list(FAMILIES), territories=["*"], exits=["web", "export"],
            valid_from=datetime(2026, 1, 1, tzinfo=UTC), contract_reference="B", made_by=makers[0],
        )  # fmt: skip
        grant.titles.set([title])
        grants.approve(grant, by=makers[1])
        user = User.objects.create_user(f"bench-{n}@example.com", name=f"Reader {n}")
        members.append(Membership.objects.create(user=user, partner=partner, role="owner"))
    return members


def _deliver(folder: Path, members: list[Membership], workers: int) -> float:
    """Seconds from the first wish until every mail is taken. The workers are up before."""
    folder.mkdir()
    mailbox = Mailbox()
    with tempfile.TemporaryDirectory(prefix="valkey-") as short:
        broker = Broker(Path(short))
        current_app.conf.broker_url = current_app.conf.broker_write_url = broker.celery_url
        background = Background(folder, broker, mailbox)
        background.environment |= {"JOB_LEASE_SECONDS": "30", "JOB_RING_SECONDS": "30"}
        settings.STORAGE_ROOT = folder / "files"
        try:
            background.start_worker("--concurrency", str(workers))
            background.start_beat()
            time.sleep(8)
            start = time.monotonic()
            asked = [
                ask_bundle(
                    membership=m,
                    titles=None,
                    window=WINDOW,
                    language=("zh-hans", "en")[workers - 1],
                ).pk
                for m in members
            ]
            while Delivery.objects.filter(bundle__in=asked, state="done").count() < len(asked):
                if time.monotonic() - start > LONGEST_S:
                    raise SystemExit(f"not within {LONGEST_S} s")
                time.sleep(0.1)
            return time.monotonic() - start
        finally:
            background.close()
            mailbox.close()
            current_app.pool.force_close_all()
            broker.close()


def _size() -> str:
    bundle = Bundle.objects.filter(state="done").latest("done_at")
    with storage.open_stored(bundle.artefact.path) as file:
        content = zipfile.ZipFile(io.BytesIO(file.read())).read("report.pdf")
    with pikepdf.open(io.BytesIO(content)) as document:
        return f"{len(document.pages)} pages, {len(content) / 1024:,.0f} KB"


if __name__ == "__main__":
    sys.exit(main())
