"""What every test may use: the cast, and real servers under the real roles.

Tests log in as the owner of the schema, which may become every other role; requests, reads and
tasks do become theirs, so a missing right fails here as it would on the platform.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from celery import current_app
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, expect, sync_playwright
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings

from partners.models import User
from portal.storage_url import storage_of
from tests.background import Background, Broker, Mailbox
from tests.cast import Cast, make_cast

hypothesis.settings.register_profile(
    "dailies",
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "100")),
    deadline=None,
)
hypothesis.settings.load_profile("dailies")
# as in production, but for what makes it slow: hundreds of tests sign somebody in
Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost = 1, 4096
expect.set_options(timeout=60_000)  # a busy machine is slow, not wrong

DATA = Path(
    os.environ.get("DAILIES_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
)


@pytest.fixture
def real_data() -> Path:
    """The folder of real logs beside the checkout: skipped without it, except under CI."""
    if not DATA.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"real data is missing: {DATA}")
        pytest.skip(f"needs the real logs in {DATA}")
    return DATA


@pytest.fixture(autouse=True)
def lease_outlives_a_transaction(settings: Settings) -> None:
    """The thread that renews a lease does not see the row of a test's open transaction."""
    settings.JOB_LEASE_SECONDS = 900


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let pytest-django empty the audit trail between tests that commit."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in ("auditevent", "auditseal", "auditlink"):
            cursor.execute(f"ALTER TABLE partners_{table} DISABLE TRIGGER never_emptied")


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def signed_in() -> type[SignedIn]:
    return SignedIn


class SignedIn(Client):
    """A browser in which `user` has signed in. Speaks English unless told otherwise.

    Its session showed a second factor `shown_ago` seconds ago; None for never.
    """

    def __init__(self, user: User, language: str = "en", shown_ago: float | None = 0) -> None:
        super().__init__(headers={"accept-language": language})
        user.refresh_from_db(fields=["session_epoch"])  # PostgreSQL raises it with the rights
        self.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        if shown_ago is not None:
            session = self.session
            session["account_authentication_methods_user"] = str(user.pk)
            session["account_authentication_methods"] = [
                {"method": "mfa", "at": time.time() - shown_ago}
            ]
            session.save()


@pytest.fixture
def storage(tmp_path: Path, settings: Settings) -> Path:
    """An empty storage of the test's own."""
    settings.STORAGE_ROOT = tmp_path / "files"
    return tmp_path / "files"


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 server of our own."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty bucket that the bundles are stored in below a prefix, as boto3 sees it."""
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-the-tests")
    name = f"dailies-{uuid4().hex[:12]}"
    url = f"s3://{name}/portal/files?region=eu-central-1&endpoint={s3}&addressing=path"
    settings.STORAGE_URL, settings.STORAGE_ROOT = url, None
    settings.STORAGES = {**settings.STORAGES, "bundles": storage_of(url)}
    made = boto3.resource("s3", region_name="eu-central-1", endpoint_url=s3).Bucket(name)
    made.create(CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return made


@pytest.fixture
def anchor_file(tmp_path: Path, settings: Settings) -> Path:
    """An anchor of the audit trail of the test's own."""
    settings.AUDIT_ANCHOR = tmp_path / "audit" / "anchor.jsonl"
    return tmp_path / "audit" / "anchor.jsonl"


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[Mailbox]:
    """A real SMTP server that the deliveries of this process go to."""
    box = Mailbox()
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", box.port, 2
    yield box
    box.close()


@pytest.fixture(scope="session")
def running_broker() -> Iterator[Broker]:
    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:  # a socket's path is short
        running = Broker(Path(folder))
        current_app.conf.broker_url = current_app.conf.broker_write_url = running.celery_url
        yield running
        current_app.pool.force_close_all()
        running.close()


@pytest.fixture
def broker(running_broker: Broker) -> Broker:
    """An empty broker, which this process rings as well."""
    running_broker.client.flushall()
    return running_broker


@pytest.fixture
def background(
    transactional_db: None, tmp_path: Path, broker: Broker, mailbox: Mailbox
) -> Iterator[Background]:
    """Workers and beats on the test's own database; the test starts and kills them."""
    made = Background(tmp_path, broker, mailbox)
    yield made
    made.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. While it runs, the thread counts as asynchronous: Django is told that
    it is not, and the chart engine, which cannot be told, is tried in other modules.
    """
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def text_of(tmp_path: Path) -> Callable[[bytes], str]:
    """The text of a PDF as poppler reads it, blanks and line ends joined to one blank."""
    assert shutil.which("pdftotext"), "poppler-utils is needed"

    def read(pdf: bytes) -> str:
        path = tmp_path / "read.pdf"
        path.write_bytes(pdf)
        done = subprocess.run(
            ["pdftotext", "-enc", "UTF-8", str(path), "-"], capture_output=True, check=True
        )
        return " ".join(done.stdout.decode().split())

    return read
