"""What every test may use: the cast, and real servers under the real roles.

Tests log in as the owner of the schema, which may become every other role; requests, reads and
tasks do become theirs, so a missing right fails here as it would on the platform.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoDbBlocker

from tests.cast import Cast, make_cast

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def real_data() -> Path:
    """The folder of real logs beside the checkout: skipped without it, except under CI."""
    if not DATA.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"real data is missing: {DATA}")
        pytest.skip(f"needs the real logs in {DATA}")
    return DATA


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let pytest-django empty the audit trail between tests that commit."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE partners_auditevent DISABLE TRIGGER never_emptied")


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def signed_in() -> type[SignedIn]:
    return SignedIn


class SignedIn(Client):
    """A browser in which `user` has signed in. Speaks English unless told otherwise."""

    def __init__(self, user: object, language: str = "en") -> None:
        super().__init__(headers={"accept-language": language})
        self.force_login(
            user,  # type: ignore[arg-type]
            backend="allauth.account.auth_backends.AuthenticationBackend",
        )
