"""What a bench of the whole stands on: Django, and a database and folders of its own.

Importing this sets Django up; they are made and dropped by `run`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("DATABASE_LOGIN", "owner")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

import django
from django.conf import settings
from django.db import connection

from bench.told import Row, table

settings.LOGGING["root"]["level"] = "ERROR"
django.setup()


def run(
    parser: argparse.ArgumentParser,
    measure: Callable[[Path, argparse.Namespace], Sequence[Row]],
) -> int:
    """Ask for the arguments, measure in a place of its own, and print a Markdown table."""
    parser.add_argument("--folder", type=Path, help="where generated segments stay for next time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dailies-bench-") as folder:
        fresh = Path(folder)
        arguments.folder = arguments.folder or fresh / "generated"
        _apart(fresh)
        with _database():
            rows = measure(fresh, arguments)
    sys.stdout.write(table(rows))
    return 0


def _apart(folder: Path) -> None:
    """Settings of a run that touches nothing of the checkout but its servers and fonts."""
    settings.STAGING = folder / "staged"
    settings.SOURCES = folder / "sources"
    settings.PEOPLE = folder / "people"
    settings.STORAGE_ROOT = folder / "files"
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@contextmanager
def _database() -> Iterator[None]:
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
