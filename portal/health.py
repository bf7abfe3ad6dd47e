"""Is it up (/healthz), and can it do its work (/readyz)?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from portal.login import is_safe_login
from reports.heartbeat import last_seen

_SILENCE = timedelta(seconds=60)


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers. Asks nothing of anybody else."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Database and our login to it, broker, a worker and beat heard from within a minute.

    Says which, never why: this URL is open.
    """
    checks = {
        "database": _database,
        "broker": _broker,
        "worker": lambda: _heard_from("worker"),
        "beat": lambda: _heard_from("beat"),
    }
    state = {name: _holds(check) for name, check in checks.items()}
    return JsonResponse(
        {"status": "ok" if all(state.values()) else "not ready", "checks": state},
        status=200 if all(state.values()) else 503,
    )


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except (DatabaseError, redis.RedisError, OSError):
        return False


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return is_safe_login()


def _broker() -> bool:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as broker:
        return bool(broker.ping())


def _heard_from(kind: str) -> bool:
    at = last_seen(kind)
    return at is not None and timezone.now() - at < _SILENCE
