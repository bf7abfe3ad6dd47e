"""Staff by their groups, as the admin's tests have them, and mail that stays in the process."""

from __future__ import annotations

import pytest
from pytest_django.fixtures import Settings

from partners.models import User
from tests.cast import Cast
from tests.partners.conftest import staff

__all__ = ["outbox", "staff"]


@pytest.fixture
def outbox(cast: Cast, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    User.objects.update(language="en")
