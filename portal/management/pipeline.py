"""What the pipeline's commands share: a database that is not ready is said in one line."""

from __future__ import annotations

from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

_NOT_MIGRATED = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)


class PipelineCommand(BaseCommand):
    """A command that reads and writes the numbers. Raises CommandError where the database cannot
    be reached or has not been migrated to this code.
    """

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except ProgrammingError as error:
            if not isinstance(error.__cause__, _NOT_MIGRATED):
                raise
            raise CommandError(
                f"the database is not migrated ({_first_line(error)}): run manage.py migrate, then"
                " this again"
            ) from error
        except OperationalError as error:
            if not _never_connected(error):
                raise
            raise CommandError(
                f"the database cannot be reached ({_first_line(error)}): start it and, where it is"
                " new, run manage.py setup_database and manage.py migrate"
            ) from error


def _never_connected(error: OperationalError) -> bool:
    """What the server says of a statement has a code; that there is none to talk to has not."""
    cause = error.__cause__
    return isinstance(cause, psycopg.OperationalError) and cause.sqlstate is None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
