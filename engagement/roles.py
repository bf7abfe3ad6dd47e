"""Becoming a database role for one transaction.

The web's login has no right on facts and none on partners' rows. Whoever needs one becomes the
role that has it, inside a transaction, and is nobody again when that ends: nothing survives on a
pooled connection. A forgotten `acting_as` is a permission error, not somebody else's rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection, transaction

OWNER = "dailies_owner"
PUBLISH = "dailies_publish"
WEB = "dailies_web"
PARTNER = "dailies_partner"
STAFF = "dailies_staff"
WORKER = "dailies_worker"
READER = "dailies_reader"

_SET = (
    "SELECT set_config('role', %s, true), set_config('dailies.partner_id', %s, true),"
    " set_config('dailies.exit', %s, true)"
)
_SET_STAFF = (
    "SELECT set_config('dailies.staff_id', %s, true),"
    " set_config('dailies.staff_partners', %s, true)"
)
_READ = (
    "SELECT current_setting('role'), coalesce(current_setting('dailies.partner_id', true), ''),"
    " coalesce(current_setting('dailies.exit', true), '')"
)


def become(role: str, *, partner_id: UUID | None = None, exit: str = "") -> None:
    """Take a role until the open transaction ends.

    Raises RuntimeError outside a transaction: there the role would survive on the connection.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("a role is taken inside a transaction only")
    with connection.cursor() as cursor:
        cursor.execute(_SET, (role, str(partner_id or ""), exit))


def become_staff(staff_id: UUID, *, partners: Iterable[UUID] | None) -> None:
    """Take the staff's role until the open transaction ends, limited to `partners` (None: all).

    The limit stays when the role is put down and taken again within the transaction.
    """
    become(STAFF)
    limit = "" if partners is None else f"{{{','.join(map(str, partners))}}}"
    with connection.cursor() as cursor:
        cursor.execute(_SET_STAFF, (str(staff_id), limit))


@contextmanager
def acting_as(role: str, *, partner_id: UUID | None = None, exit: str = "") -> Iterator[None]:
    """Run a block as `role`, in a transaction of its own or a savepoint of the open one.

    An exception rolls back, which restores the role; after a savepoint is released the role set
    inside would stay (SET LOCAL lasts to the end of the transaction), so it is put back here.
    """
    outer = connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        before = ("none", "", "")
        if outer:
            cursor.execute(_READ)
            before = cursor.fetchone()
        cursor.execute(_SET, (role, str(partner_id or ""), exit))
        yield
        if outer and not connection.needs_rollback:
            cursor.execute(_SET, before)
