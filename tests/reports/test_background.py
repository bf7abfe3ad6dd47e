"""Real workers and beats, killed; a real broker, emptied. Every bundle is built, one mail each."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, connections

from engagement.roles import WEB, acting_as
from engagement.scope import Window
from partners.models import Membership
from reports.heartbeat import last_seen
from reports.models import Artefact, Bundle, Delivery, Heartbeat
from reports.plan import ask_bundle
from tests.background import Background, Broker, Mailbox, wait_until
from tests.cast import DAY, DAYS, Cast, make_cast

WHOLE = Window(DAY, DAY + timedelta(days=DAYS))
pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def committed(transactional_db: None) -> Cast:
    return make_cast()


def ask(member: Membership, *, language: str = "en", days: int = DAYS) -> Bundle:
    return ask_bundle(
        membership=member,
        titles=None,
        window=Window(DAY, DAY + timedelta(days=days)),
        language=language,
    )


def states(model: type[Bundle] | type[Delivery]) -> set[str]:
    return set(model.objects.values_list("state", flat=True))


def assert_each_was_built_and_mailed_once(bundles: list[Bundle], mailbox: Mailbox) -> None:
    assert states(Bundle) == {"done"}
    assert states(Delivery) == {"done"}
    assert Artefact.objects.count() == Delivery.objects.count() == len(bundles)
    expected = sorted(d.message_id for d in Delivery.objects.all())
    assert sorted(str(m["Message-ID"]) for m in mailbox.messages) == expected
    for bundle in bundles:
        link = f"/mail/report/{bundle.partner.slug}.{bundle.pk}."
        texts = [str(m.get_body(("plain",)).get_content()) for m in mailbox.messages]  # type: ignore[union-attr]
        assert len([t for t in texts if link in t]) == 1


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def rendering(bundle: Bundle) -> bool:
    return Bundle.objects.filter(pk=bundle.pk, state="running", step="rendering").exists()


def test_a_killed_worker_costs_seconds_and_no_second_mail(
    committed: Cast, background: Background, mailbox: Mailbox
) -> None:
    """Fault 2, P16: killed in mid-bundle, and between DATA and its answer."""
    worker = background.start_worker()
    bundle = ask(committed.alice)
    wait_until(lambda: rendering(bundle), 120)
    background.kill_tree(worker)
    background.start_beat()
    worker = background.start_worker()
    took = wait_until(lambda: states(Delivery) == {"done"}, 120)
    print(f"\nkilled in mid-bundle: built and mailed {took:.1f} s later")
    bundle.refresh_from_db()
    assert (bundle.attempts, bundle.leases_lost) == (2, 1)
    assert_each_was_built_and_mailed_once([bundle], mailbox)

    mailbox.script.append("hang")
    ask(committed.alice, days=3)
    wait_until(lambda: len(mailbox.messages) == 2, 120)
    background.kill_tree(worker)
    background.start_worker()
    wait_until(lambda: states(Delivery) == {"done", "unknown"}, 120)
    connections["default"].close()
    assert len(mailbox.messages) == 2


def kill_the_children(background: Background, _: Broker) -> None:
    """Fault 1."""
    for process in background.processes:
        for child in children_of(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def cut_the_connections(*_: object) -> None:
    with acting_as(WEB), connection.cursor() as cursor:  # a login may end its own connections
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE usename = 'dailies_web' AND datname = current_database()"
        )
        assert cursor.fetchone()[0] > 0


def empty_the_broker(_: Background, broker: Broker) -> None:
    broker.kill()
    broker.start()


def test_a_house_whose_parts_die_in_mid_bundle_makes_it_good_by_itself(
    committed: Cast, background: Background, broker: Broker, mailbox: Mailbox
) -> None:
    """P16: one after the other, while its worker and its beat live on."""
    background.start_worker()
    background.start_beat()
    bundles = []
    for fault in (kill_the_children, cut_the_connections, empty_the_broker):
        bundle = ask(committed.alice, days=DAYS - len(bundles))
        bundles.append(bundle)
        wait_until(lambda b=bundle: rendering(b), 120)  # type: ignore[misc]
        fault(background, broker)
        took = wait_until(lambda: states(Delivery) == {"done"}, 120)
        print(f"\n{fault.__name__}: built and mailed {took:.1f} s later")
    broker.kill()
    start = time.monotonic()
    bundles.append(ask(committed.alice, days=3))
    assert time.monotonic() - start < 10  # nobody waits for the bell
    broker.start()
    took = wait_until(lambda: Delivery.objects.filter(state="done").count() == 4, 120)
    print(
        f"\nasked for while the broker was away: built and mailed {took:.1f} s after it came back"
    )
    assert_each_was_built_and_mailed_once(bundles, mailbox)


def test_a_flushed_broker_loses_no_bundle(
    committed: Cast, background: Background, broker: Broker, mailbox: Mailbox
) -> None:
    background.environment["JOB_LEASE_SECONDS"] = "30"  # nobody is to lose one
    bundles = [
        ask(member, language=language)
        for member in (committed.alice, committed.bob)
        for language in ("en", "zh-hans")
    ]
    assert broker.client.llen("bundles") == len(bundles)
    broker.client.flushall()
    background.start_beat()
    background.start_beat()  # two of them, and nothing is done twice
    background.start_worker()
    wait_until(lambda: Bundle.objects.filter(state="running").exists(), 120)
    broker.client.flushall()
    took = wait_until(lambda: states(Bundle) == {"done"} and states(Delivery) == {"done"}, 240)
    print(f"\nbroker flushed twice with {len(bundles)} bundles queued: all done {took:.1f} s later")
    assert set(Bundle.objects.values_list("attempts", flat=True)) == {1}
    assert_each_was_built_and_mailed_once(bundles, mailbox)
    kinds = set(Heartbeat.objects.values_list("kind", flat=True))
    assert kinds == {"worker", "beat"}
    assert last_seen("beat") is not None


def test_the_broker_holds_ids_and_nothing_else(committed: Cast, broker: Broker) -> None:
    bundle = ask(committed.alice)
    held = b"".join(broker.client.lrange("bundles", 0, -1))
    assert str(bundle.pk).encode() in held
    for secret in (b"alice", b"aurora", b"film", b"2026-01-01"):
        assert secret not in held
