"""No answer takes longer for an address that is known. `make soak` asks 500 times a kind.

In the ordinary run a few, and only what holds on a busy machine: never sooner than the step.
"""

from __future__ import annotations

import os
import statistics
import time
from itertools import combinations

import pytest
from pytest_django import Settings
from scipy.stats import ks_2samp

from partners.models import Attempt
from tests.cast import Cast
from tests.portal.web.test_second_factor import english
from tests.portal.web.test_throttle import WRONG, people

SAMPLES = int(os.environ.get("TIMING_SAMPLES", "2"))
STEP_S = 0.25


@pytest.mark.parametrize(
    ("path", "field"), [("/account/login/", "login"), ("/account/password/reset/", "email")]
)
def test_the_time_of_an_answer_tells_nothing(
    cast: Cast, settings: Settings, path: str, field: str
) -> None:
    """Case 64: absent, disabled, unverified, with a second factor."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.ANSWER_SECONDS = STEP_S
    addresses = people(cast)
    took: dict[str, list[float]] = {kind: [] for kind in addresses}
    for _ in range(SAMPLES):
        for kind, email in addresses.items():  # in turn: a busy moment falls on all alike
            Attempt.objects.all().delete()
            client = english()
            began = time.perf_counter()
            client.post(path, {field: email, "password": WRONG})
            took[kind].append(time.perf_counter() - began)
    assert min(map(min, took.values())) >= STEP_S
    if SAMPLES >= 100:
        for one, other in combinations(took.values(), 2):
            assert abs(statistics.median(one) - statistics.median(other)) < 0.002
            # the best single threshold tells two kinds apart in at most 15 of 100 tries
            assert ks_2samp(one, other).statistic < 0.15
