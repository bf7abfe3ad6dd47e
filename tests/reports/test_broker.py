"""What lies in the broker, and what a message that somebody else put there can do."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from celery import current_app
from django.urls import reverse
from kombu import serialization
from kombu.exceptions import ContentDisallowed

from engagement.scope import Window
from partners import credentials, grants
from partners.models import Membership
from reports import schedules
from reports.build import build
from reports.models import Artefact, Bundle, Delivery
from reports.plan import ask_bundle
from reports.tasks import build_bundle
from tests.background import Background, Broker, Mailbox, wait_until
from tests.cast import CANARY, Cast, make_cast
from tests.conftest import SignedIn
from tests.test_every_id import said
from tests.test_every_route import METHODS
from tests.walls import WHOLE

committed_rows = pytest.mark.django_db(transaction=True)
TOLD_BY_NOBODY = (
    "alice", "amy", "bob", "victor", "example.com", "aurora", "borealis", "zqb", "film", "foreign",
    "2026-01", str(CANARY), "150", "dly_", "plays", "viewing", "zip", "session",
)  # fmt: skip


def dumped(client: redis.Redis) -> dict[str, list[bytes]]:
    """Everything that the broker holds, by key."""
    held: dict[str, list[bytes]] = {}
    for key in client.keys("*"):
        kind = client.type(key)
        if kind == b"list":
            found = client.lrange(key, 0, -1)
        elif kind == b"set":
            found = list(client.smembers(key))
        elif kind == b"zset":
            found = client.zrange(key, 0, -1)
        elif kind == b"hash":
            found = [part for pair in client.hgetall(key).items() for part in pair]
        else:
            assert kind == b"string", kind
            found = [client.get(key)]
        held[key.decode()] = found
    return held


def opened(text: str) -> Iterator[str]:
    """A message's text, and the bodies in it, which are base64 of JSON."""
    yield text
    message = json.loads(text)
    for part in message if isinstance(message, list) else [message]:
        if isinstance(part, dict) and "body" in part:
            yield base64.b64decode(part["body"]).decode()


@committed_rows
def test_case_41_the_broker_holds_ids_and_nothing_else_while_fifty_jobs_are_queued(
    transactional_db: None, broker: Broker
) -> None:
    """Bundles, mails and a token's use, of two partners: dumped key by key, and opened."""
    cast = make_cast()
    credentials.make(membership=cast.alice, name="x", exits=["api"], families=None, networks=[])
    schedules.create(
        membership=cast.bob, name="ZQB-weekly", titles=None, weekday=2, hour=9,
        zone="Asia/Shanghai", language="en", recipients=[cast.bob.pk],
    )  # fmt: skip
    asked = []
    for member in (cast.alice, cast.bob, cast.cleo):
        for language in ("en", "zh-hans"):
            for end in range(9):
                asked.append(
                    ask_bundle(
                        membership=member, titles=None, language=language,
                        window=Window(WHOLE.since, WHOLE.since.replace(day=2 + end)),
                    )
                )  # fmt: skip
    assert len(asked) == 54
    held = dumped(broker.client)
    assert sum(len(held[queue]) for queue in ("bundles", "celery") if queue in held) == 54
    sent = set()
    for key, values in held.items():
        for value in values:
            if key in ("bundles", "celery"):
                texts = list(opened(value.decode()))
                arguments, named, _ = json.loads(texts[1])
                sent.update(arguments)
                assert (len(arguments), named) == (1, {})
                headers = json.loads(texts[0])["headers"]
                assert headers["task"] == "reports.build_bundle"
                assert json.loads(texts[0])["content-type"] == "application/json"
            else:
                texts = [value.decode()]
            for text in texts:
                found = [word for word in TOLD_BY_NOBODY if word in _without_ids(text, sent)]
                assert found == [], (key, text)
    assert sent == {str(bundle.pk) for bundle in asked}


def _without_ids(text: str, ids: set[str]) -> str:
    """Lower case, and without what is random: ids and the base64 of what was opened."""
    for id_ in ids:
        text = text.replace(id_, "")
    said = json.loads(text) if text.startswith("{") else text
    if isinstance(said, dict):
        said.pop("body", None)
        said.get("headers", {}).pop("id", None)
        said.get("headers", {}).pop("root_id", None)
        said.get("headers", {}).pop("expires", None)
        said.get("headers", {}).pop("origin", None)  # the process that sent it
        properties = said.get("properties", {})
        for name in ("correlation_id", "reply_to", "delivery_tag"):
            properties.pop(name, None)
        text = json.dumps(said)
    return text.lower()


# --- messages that are not ours ------------------------------------------------------------------


def message(task: str, body: object, content_type: str = "application/json") -> bytes:
    """As Celery's own producer writes one."""
    raw = pickle.dumps(body) if "python" in content_type else json.dumps(body).encode()
    id_ = str(uuid4())
    return json.dumps(
        {
            "body": base64.b64encode(raw).decode(),
            "content-encoding": "binary" if "python" in content_type else "utf-8",
            "content-type": content_type,
            "headers": {"lang": "py", "task": task, "id": id_, "root_id": id_, "argsrepr": "()",
                        "kwargsrepr": "{}", "origin": "x", "retries": 0, "eta": None,
                        "expires": None, "group": None, "timelimit": [None, None]},
            "properties": {
                "correlation_id": id_, "delivery_mode": 2, "priority": 0,
                "delivery_info": {"exchange": "", "routing_key": "celery"},
                "body_encoding": "base64", "delivery_tag": str(uuid4()), "reply_to": "x",
            },
        }
    ).encode()  # fmt: skip


class Opened:
    """What a pickle that is loaded would do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("/tmp/dailies-was-here", "w"))


EMPTY = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
FOREIGN = {
    "an unknown task": message("os.system", [["touch /tmp/dailies-was-here"], {}, EMPTY]),
    "a pickle": message(
        "reports.build_bundle", ([Opened()], {}, EMPTY), "application/x-python-serialize"
    ),
    "yaml": message("reports.build_bundle", [["x"], {}, EMPTY], "application/x-yaml"),
    "a huge argument": message("reports.build_bundle", [["9" * 3_000_000], {}, EMPTY]),
    "no id": message("reports.build_bundle", [["' OR 1=1 --"], {}, EMPTY]),
    "an object": message("reports.build_bundle", [[{"id": "x"}], {}, EMPTY]),
    "more arguments": message("reports.build_bundle", [[str(uuid4()), "borealis"], {}, EMPTY]),
    "other arguments": message(
        "reports.build_bundle", [[str(uuid4())], {"recipient": "x", "titles": [1]}, EMPTY]
    ),
    "no body": message("reports.build_bundle", []),
    "a body of another shape": message("reports.build_bundle", "x"),
    "half a message": b'{"body": "W1tdLCB7fSwge31d"}',
    "no message": b"\x80\x04 no JSON",
    "a list": b"[]",
}


@committed_rows
@pytest.mark.slow
def test_case_41_a_message_that_is_not_ours_is_dropped_and_the_worker_lives(
    background: Background, broker: Broker, mailbox: Mailbox
) -> None:
    """All of them before one of ours, in both queues; beat is not there to make anything good."""
    cast = make_cast()
    for queue in ("celery", "bundles"):
        for foreign in FOREIGN.values():
            broker.client.lpush(queue, foreign)
    worker = background.start_worker()
    bundle = ask_bundle(membership=cast.alice, titles=None, window=WHOLE, language="en")
    wait_until(lambda: Delivery.objects.filter(bundle=bundle, state="done").exists(), 90)
    assert worker.poll() is None
    assert [broker.client.llen(queue) for queue in ("celery", "bundles")] == [0, 0]
    wait_until(lambda: not broker.client.exists("unacked"), 60)  # for a next worker to end by
    log = (background.folder / "celery.log").read_text()
    assert len(log) < 1_000_000, "the huge argument is not written down"
    assert Bundle.objects.count() == Artefact.objects.count() == 1
    assert len(mailbox.messages) == 1


def test_case_41_json_alone_is_read() -> None:
    """By the worker's own settings: a pickle and YAML are refused before they are opened."""
    accepted = {"application/json"}
    assert set(serialization.prepare_accept_content(current_app.conf.accept_content)) == accepted
    with pytest.raises(ContentDisallowed):
        serialization.loads(
            pickle.dumps(Opened()), "application/x-python-serialize", "binary", accept=accepted
        )


# --- forged arguments ----------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["queued", "running", "done", "failed"])
def test_case_40_a_job_of_others_is_in_every_state_as_one_that_is_made_up(
    cast: Cast, storage: Path, state: str
) -> None:
    """Its page, progress, file, and JSON, by each verb; nobody but staff starts one again."""
    theirs = ask_bundle(membership=cast.bob, titles=None, window=WHOLE, language="en")
    if state == "done":
        assert build(theirs.pk)
    Bundle.objects.filter(pk=theirs.pk).update(state=state, failure="broken" * (state == "failed"))
    before = Bundle.objects.filter(pk=theirs.pk).values().get()
    alice, made_up = SignedIn(cast.alice.user), uuid4()
    for name in ("report", "report-progress", "download", "api:bundle"):
        for method in METHODS:
            answers = [
                said(alice, method, reverse(name, args=["aurora", id_]), id_)
                for id_ in (theirs.pk, made_up)
            ]
            assert answers[0] == answers[1], (name, method)
            assert answers[0][0] in (404, 405), (name, method)
    for action in ("retry", "restart", "cancel", "delete"):
        for base in ("/p/aurora/reports/", "/api/v1/p/aurora/bundles/"):
            assert alice.post(f"{base}{theirs.pk}/{action}/").status_code == 404
    assert Bundle.objects.filter(pk=theirs.pk).values().get() == before
    assert SignedIn(cast.bob.user).get(f"/p/borealis/reports/{theirs.pk}/").status_code == 200


def test_case_40_a_task_takes_whose_and_what_from_the_row_as_it_is_when_it_runs(
    cast: Cast, storage: Path
) -> None:
    """An id is all it is told. Row, role, limit and grants are read after the message was sent."""
    bundle = ask_bundle(membership=cast.alice, titles=None, window=WHOLE, language="en")
    for arguments, named in (
        ([str(bundle.pk), str(cast.borealis.pk)], {}),
        ([str(bundle.pk)], {"recipient": str(cast.bob.pk)}),
        ([str(bundle.pk)], {"titles": [cast.foreign.pk], "partner_id": str(cast.borealis.pk)}),
    ):
        with pytest.raises(TypeError):
            build_bundle.apply(args=arguments, kwargs=named, throw=True)
    assert Bundle.objects.get().state == "queued"
    grants.revoke(cast.grants["shared"], by=cast.sam)
    Membership.objects.filter(pk=cast.alice.pk).update(limit_families=["viewing"])
    build_bundle.apply(args=[str(bundle.pk)], throw=True)
    bundle.refresh_from_db()
    assert bundle.state == "done"
    assert {(t["title_id"], t["family"]) for t in bundle.scope} == {(cast.film.pk, "viewing")}
    # another's id in the message builds that row, for whom the row says, within their scope
    theirs = ask_bundle(membership=cast.bob, titles=None, window=WHOLE, language="en")
    build_bundle.apply(args=[str(theirs.pk)], throw=True)
    delivery = Delivery.objects.get(bundle=theirs)
    assert (delivery.recipient, delivery.partner) == (cast.bob, cast.borealis)
    assert {t["title_id"] for t in Bundle.objects.get(pk=theirs.pk).scope} == {cast.foreign.pk}
    for known in (str(uuid4()), str(cast.bob.pk), str(bundle.pk)):
        build_bundle.apply(args=[known], throw=True)  # nothing to do, and nothing done
    assert Delivery.objects.count() == 2
