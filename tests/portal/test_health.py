"""/healthz says that the process lives, /readyz that it can do its work, and neither says why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from reports.heartbeat import seen
from reports.models import Heartbeat
from tests.background import Broker


@pytest.fixture
def everything(db: None, broker: Broker, settings: Any) -> None:
    settings.REDIS_URL = broker.url
    for kind in ("worker", "beat"):
        seen(kind)


def ready() -> tuple[int, dict[str, bool]]:
    response = Client().get("/readyz")
    return response.status_code, response.json()["checks"]


def test_the_process_answers_without_a_database() -> None:
    response = Client().get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_ready_with_database_broker_worker_and_beat(everything: None) -> None:
    assert ready() == (
        200,
        {"database": True, "broker": True, "worker": True, "beat": True},
    )


@pytest.mark.parametrize("kind", ["worker", "beat"])
def test_not_ready_where_one_was_not_heard_from_for_a_minute(everything: None, kind: str) -> None:
    Heartbeat.objects.filter(kind=kind).update(at=timezone.now() - timedelta(seconds=61))
    status, checks = ready()
    assert status == 503
    assert [name for name, holds in checks.items() if not holds] == [kind]


def test_not_ready_without_a_broker(everything: None, settings: Any) -> None:
    settings.REDIS_URL = "unix:///nonexistent/valkey.sock?db=0"
    status, checks = ready()
    assert status == 503
    assert [name for name, holds in checks.items() if not holds] == ["broker"]
