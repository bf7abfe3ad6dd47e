"""The database login of the site and its workers, looked at before they serve anybody.

The walls hold for a login that is nobody: a superuser, a role past row security or the owner of
a table would read every partner's rows through any mistake. Such a process does not start, and
where the database only comes up later /readyz stays red.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection

from engagement.roles import PARTNER, READER, STAFF, WEB, WORKER

log = logging.getLogger(__name__)

_MAY_BECOME = frozenset({PARTNER, STAFF, WORKER, READER})

_ROLES = """
SELECT role.rolname::text,
       role.rolname = session_user,
       array_remove(ARRAY[
           CASE WHEN role.rolsuper THEN 'is a superuser' END,
           CASE WHEN role.rolbypassrls THEN 'bypasses row security' END,
           CASE WHEN role.rolcreaterole THEN 'makes roles' END,
           CASE WHEN role.rolcreatedb THEN 'makes databases' END,
           CASE WHEN role.rolreplication THEN 'replicates' END,
           CASE WHEN EXISTS (SELECT FROM pg_class WHERE relowner = role.oid)
               OR EXISTS (SELECT FROM pg_database WHERE datdba = role.oid)
               THEN 'owns tables or databases' END
       ], NULL)
FROM pg_roles AS role
WHERE role.rolname = session_user OR pg_has_role(session_user, role.oid, 'MEMBER')
ORDER BY role.rolname <> session_user, role.rolname
"""


def problems_of_login() -> list[str]:
    """What is wrong with the role this process logs in as; empty where nothing is.

    A superuser is a member of every role, so that alone is said of it. Raises OperationalError
    without a database.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ROLES)
        (login, _, powers), *others = cursor.fetchall()
    if powers:
        return [f"{login} {power}" for power in powers]
    if login != WEB:
        return [f"{login} is not {WEB}"]
    found = [f"{login} may become {name}" for name, *_ in others if name not in _MAY_BECOME]
    return found + [f"{name}, which {login} may become, {p}" for name, _, ps in others for p in ps]


def refuse_wrong_login() -> None:
    """Raise ImproperlyConfigured where the site or a worker logs in as somebody it must not be.

    A database that is away does not stop the start: /readyz asks the same again.
    """
    try:
        problems = problems_of_login()
    except OperationalError as error:
        log.warning("the database login was not looked at: %s", error)
        return
    finally:
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]  # would not survive a fork
    if problems:
        raise ImproperlyConfigured(
            f"not safe to start: {'; '.join(problems)}. Set DATABASE_URL to the login {WEB}, "
            "as manage.py setup_database makes it."
        )


def is_safe_login() -> bool:
    """For /readyz. Of the site's own login: commands of the owner serve nobody."""
    return settings.DATABASE_LOGIN != "web" or not problems_of_login()
