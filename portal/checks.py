"""What a production setting must not be: each mistake has an id and says what to set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from partners.models import Partner
from portal.storage_url import BadStorageUrl, storage_of
from reports.render.signature import NoSigner
from reports.signing import SET_THEM, signer

_SHORTEST_SECRET = 32
_FEWEST_CHARACTERS = 10

FLOORS = {"django": (5, 2, 19), "weasyprint": (70, 0), "django-allauth": (65, 21, 1)}
"""The oldest release of each package without a weakness that matters here."""

POSTGRES_MINORS = {15: 20, 16: 16, 17: 12, 18: 6}
"""The minor releases of November 2026, which mend holes in row-level security."""


@register()
def production_settings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Empty outside production; there, an Error for each missing or unsafe setting."""
    return list(_problems()) if settings.PRODUCTION else []


@register()
def packages(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """An Error for each package that is older than its floor, in production or not."""
    return [
        Error(
            f"{name} {version(name)} has known weaknesses.",
            hint=f"Install {name} {'.'.join(map(str, floor))} or newer: make setup.",
            id="dailies.E010",
        )
        for name, floor in FLOORS.items()
        if _numbers(version(name)) < floor
    ]


@register()
def storage_address(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """An Error where STORAGE_URL names no place to store files in, in production or not."""
    try:
        storage_of(settings.STORAGE_URL)
    except BadStorageUrl as problem:
        return [
            Error(
                f"STORAGE_URL cannot be used. {problem}",
                hint="Set STORAGE_URL as file:///srv/dailies/files, or as"
                " s3://bucket/prefix?region=eu-central-1.",
                id="dailies.E007",
            )
        ]
    return []


@register(Tags.database)
def postgres_minor(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """A Warning in production where the server lacks the newest minor release known here."""
    if not settings.PRODUCTION:
        return []
    found: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor():
            major, minor = divmod(connections[alias].pg_version, 10_000)  # type: ignore[attr-defined]
        if minor < POSTGRES_MINORS.get(major, 0):
            found.append(
                Warning(
                    f"PostgreSQL {major}.{minor} has known holes in row-level security.",
                    hint=f"Install {major}.{POSTGRES_MINORS[major]} or newer.",
                    id="dailies.W001",
                )
            )
    return found


@register(Tags.database)
def signing(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """An Error in production where a partner's reports are to be signed and there is no key."""
    if not settings.PRODUCTION or not databases or settings.REPORT_SIGNING_KEY:
        return []
    asking = list(Partner.objects.filter(sign_reports=True).values_list("slug", flat=True)[:20])
    if not asking:
        return []
    return [
        Error(
            f"Reports are to be signed for {', '.join(asking)}, and there is no key.",
            hint=SET_THEM,
            id="dailies.E013",
        )
    ]


def _numbers(release: str) -> tuple[int, ...]:
    """5.2.19 as (5, 2, 19); what follows the numbers (rc1) is left out."""
    return tuple(int(n) for n in re.match(r"[\d.]*\d", release)[0].split("."))  # type: ignore[index]


def refuse_to_start() -> None:
    """Raise ImproperlyConfigured with every problem, so that all are mended in one go."""
    problems = [*production_settings(), *packages(), *storage_address()]
    if problems:
        raise ImproperlyConfigured(
            "not safe to start in production:\n"
            + "\n".join(f"  {p.id}: {p.msg} {p.hint}" for p in problems)
        )


def _problems() -> Iterator[CheckMessage]:
    if _guessable(settings.SECRET_KEY):
        yield Error(
            "SECRET_KEY is missing, short or guessable.",
            hint="Set SECRET_KEY to 50 random characters.",
            id="dailies.E001",
        )
    if not settings.ALLOWED_HOSTS or any("*" in host for host in settings.ALLOWED_HOSTS):
        yield Error(
            "ALLOWED_HOSTS is empty or has a '*'.",
            hint="Set ALLOWED_HOSTS to the portal's host name.",
            id="dailies.E002",
        )
    if not settings.BASE_URL.startswith("https://"):
        yield Error(
            "BASE_URL is not https.",
            hint="Set BASE_URL to the portal's https address; links in mails start with it.",
            id="dailies.E003",
        )
    if not (settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE):
        yield Error(
            "Cookies may travel without encryption.",
            hint="Set BASE_URL to the portal's https address.",
            id="dailies.E009",
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
    for served in (settings.STATIC_ROOT, *settings.STATICFILES_DIRS):
        folder = settings.STORAGE_ROOT
        if folder and Path(folder).resolve().is_relative_to(Path(served).resolve()):
            yield Error(
                "STORAGE_URL lies in a folder that the site serves.",
                hint="Set STORAGE_URL to a folder outside of it.",
                id="dailies.E011",
            )
    if settings.REPORT_SIGNING_KEY or settings.REPORT_SIGNING_CERTIFICATE:
        try:
            signer()
        except NoSigner as problem:
            yield Error(
                f"Reports cannot be signed with what is set: {problem}.",
                hint=SET_THEM,
                id="dailies.E012",
            )
    if settings.DATABASE_LOGIN == "publish" and len(settings.PUBLISHER_KEY) < _SHORTEST_SECRET:
        yield Error(
            "PUBLISHER_KEY is missing or short.",
            hint="Set PUBLISHER_KEY to 50 random characters and keep it: counts of people over "
            "several days can only be joined under one key.",
            id="dailies.E008",
        )


def _guessable(secret: str) -> bool:
    return (
        len(secret) < _SHORTEST_SECRET
        or len(set(secret)) < _FEWEST_CHARACTERS
        or secret.startswith("django-insecure-")
    )
