"""What is packed for one partner is of that partner: workers killed at random, equal titles and
windows, and every file and mail looked through for another's canaries.

`PACKING=200,20` packs so many bundles of so many partners (`make soak`).
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from engagement.scope import Window
from reports.models import Bundle, Delivery
from reports.plan import ask_bundle
from reports.storage import open_stored
from tests.background import Background, Mailbox
from tests.cast import DAY, DAYS, make_cast
from tests.reports.packing import Packed, packed, words_of_bundle, words_of_mail
from tests.reports.test_background import children_of

WHOLE = Window(DAY, DAY + timedelta(days=DAYS))
BUNDLES, PARTNERS = (int(n) for n in os.environ.get("PACKING", "20,5").split(","))
LANGUAGES = ("zh-hans", "en")
SECONDS_A_BUNDLE = 15
pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_each_file_and_mail_holds_its_own_partners_canaries_and_no_others(
    background: Background,
    mailbox: Mailbox,
    text_of: Callable[[bytes], str],
    storage: Path,
) -> None:
    world = packed(make_cast(), PARTNERS, BUNDLES // PARTNERS // len(LANGUAGES))
    asked = {b.pk: p for p in world for b in wishes(p)}
    assert len(asked) == BUNDLES
    background.environment["BUNDLES_AT_ONCE"] = "2"
    kill_until_done(background, random.Random(20_261_201))

    states = Counter(Delivery.objects.values_list("state", flat=True))
    assert set(states) <= {"done", "unknown"}, states
    assert states.total() == len(asked)
    print(f"\npacked {len(asked)} bundles of {PARTNERS} partners: mails {dict(states)}")
    for bundle in Bundle.objects.select_related("artefact"):
        with open_stored(bundle.artefact.path) as file:
            found = words_of_bundle(file.read(), text_of)
        own = asked[bundle.pk]
        assert_only(own, world, found)
        assert own.stem in found["report.pdf"]
        assert str(own.plays) in found[f"data/{own.title.slug}/viewing.csv"]
        assert bundle.recipient.user.name in found["manifest.json"]
    mails = Counter(str(m["Message-ID"]) for m in mailbox.messages)
    assert max(mails.values()) == 1
    sent = dict(Delivery.objects.values_list("message_id", "bundle"))
    for message in mailbox.messages:
        assert_only(
            asked[sent[str(message["Message-ID"])]], world, {"mail": words_of_mail(message)}
        )
    done = Delivery.objects.filter(state="done").values_list("message_id", flat=True)
    assert set(done) <= set(mails)


def wishes(packed: Packed) -> list[Bundle]:
    """Everybody's in every language, in every format."""
    bundles = [
        ask_bundle(
            membership=member,
            titles=[packed.title.pk],
            window=WHOLE,
            language=language,
        )
        for member in packed.members
        for language in LANGUAGES
    ]
    Bundle.objects.filter(partner=packed.partner).update(formats=["xlsx", "parquet"])
    return bundles


def kill_until_done(background: Background, chance: random.Random) -> None:
    """Two beats, two workers of two processes; now and then one child or a whole tree dies."""
    background.start_beat()
    background.start_beat()
    workers = [background.start_worker() for _ in range(2)]
    until = time.monotonic() + 60 + SECONDS_A_BUNDLE * BUNDLES
    next_kill, kills = time.monotonic() + 8, 0
    while open_jobs():
        assert time.monotonic() < until, f"{open_jobs()} still open"
        time.sleep(0.2)
        if time.monotonic() < next_kill or kills >= 1 + BUNDLES // 10:
            continue
        kills += 1
        next_kill = time.monotonic() + chance.uniform(3, 12)
        n = chance.randrange(len(workers))
        if chance.random() < 0.5:
            background.kill_tree(workers[n])
            workers[n] = background.start_worker()
            continue
        with suppress(ProcessLookupError, FileNotFoundError):
            children = children_of(workers[n].pid)
            if children:  # none while it starts
                os.kill(chance.choice(children), signal.SIGKILL)
    print(f"\n{kills} kills")


def open_jobs() -> int:
    """Bundles and mails that something may still become of."""
    is_open = {"state__in": ["queued", "running", "sending"]}
    return Bundle.objects.filter(**is_open).count() + Delivery.objects.filter(**is_open).count()


def assert_only(own: Packed, world: list[Packed], found: dict[str, str]) -> None:
    for name, text in found.items():
        for other in world:
            if other.n != own.n:
                strays = [c for c in other.canaries() if c in text]
                assert not strays, (own.stem, name, strays)
