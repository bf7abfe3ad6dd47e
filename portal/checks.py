"""What a production setting must not be: each mistake has an id and says what to set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

_SHORTEST_SECRET = 32


@register()
def production_settings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Empty outside production; there, an Error for each missing or unsafe setting."""
    return list(_problems()) if settings.PRODUCTION else []


def refuse_to_start() -> None:
    """Raise ImproperlyConfigured with every problem, so that all are mended in one go."""
    problems = production_settings()
    if problems:
        raise ImproperlyConfigured(
            "not safe to start in production:\n"
            + "\n".join(f"  {p.id}: {p.msg} {p.hint}" for p in problems)
        )


def _problems() -> Iterator[CheckMessage]:
    if len(settings.SECRET_KEY) < _SHORTEST_SECRET:
        yield Error(
            "SECRET_KEY is missing or short.",
            hint="Set SECRET_KEY to 50 random characters.",
            id="dailies.E001",
        )
    if not settings.ALLOWED_HOSTS or "*" in settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS is empty or '*'.",
            hint="Set ALLOWED_HOSTS to the portal's host name.",
            id="dailies.E002",
        )
    if not settings.BASE_URL.startswith("https://"):
        yield Error(
            "BASE_URL is not https.",
            hint="Set BASE_URL to the portal's https address; links in mails start with it.",
            id="dailies.E003",
        )
    if settings.DEBUG:
        yield Error("DEBUG is on.", hint="Leave it off.", id="dailies.E004")
    broker = urlsplit(settings.REDIS_URL)
    if broker.scheme in ("redis", "rediss") and not broker.password:
        yield Error(
            "REDIS_URL has no password.",
            hint="Set REDIS_URL as rediss://:password@host:port/0.",
            id="dailies.E005",
        )
    if not settings.EMAIL_URL:
        yield Error(
            "EMAIL_URL is missing.",
            hint="Set EMAIL_URL as smtp+tls://user:password@host:587.",
            id="dailies.E006",
        )
    if not settings.STORAGE_URL.startswith("file:///"):
        yield Error(
            "STORAGE_URL is not an absolute folder.",
            hint="Set STORAGE_URL as file:///srv/dailies/files.",
            id="dailies.E007",
        )
    if settings.DATABASE_LOGIN == "publish" and len(settings.PUBLISHER_KEY) < _SHORTEST_SECRET:
        yield Error(
            "PUBLISHER_KEY is missing or short.",
            hint="Set PUBLISHER_KEY to 50 random characters and keep it: counts of people over "
            "several days can only be joined under one key.",
            id="dailies.E008",
        )
