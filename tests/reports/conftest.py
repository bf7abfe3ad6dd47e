"""What the tests of reports share: one built bundle in each language, made once a run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from celery import current_app
from pytest_django.fixtures import Settings

from reports.render.bundle import Bundle, build_bundle
from tests.reports import film
from tests.reports.background import Background, Broker, Mailbox

SCOPE = [{"title": "yolo", "families": ["viewing", "retention", "rewatch", "danmu"]}]


@pytest.fixture(scope="session")
def chinese() -> Bundle:
    return build_bundle(film.REPORT, SCOPE)


@pytest.fixture(scope="session")
def english() -> Bundle:
    return build_bundle(replace(film.REPORT, language="en", sample=False), SCOPE)


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


@pytest.fixture
def storage(tmp_path: Path, settings: Settings) -> Path:
    """An empty storage of the test's own."""
    settings.STORAGE_ROOT = tmp_path / "files"
    return tmp_path / "files"


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
