"""Counting attempts at doors, in PostgreSQL: flushing Redis forgets none of them.

A key is tried `limit` times in a window of `seconds` that begins with its first try. When the
window is over counting begins anew, however often it was tried meanwhile: nobody is locked out
for good. Taking is one statement, so that a hundred requests at once get `limit` tries as well.
"""

from __future__ import annotations

import hashlib
import ipaddress
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

from partners.models import Session, User

_TAKE = """
INSERT INTO partners_attempt AS a (key, began_at, n) VALUES (%(key)s, now(), 1)
ON CONFLICT (key) DO UPDATE SET
    n = CASE WHEN a.began_at <= now() - make_interval(secs => %(seconds)s)
        THEN 1 ELSE a.n + 1 END,
    began_at = CASE WHEN a.began_at <= now() - make_interval(secs => %(seconds)s)
        THEN now() ELSE a.began_at END
RETURNING n
"""
_GIVE_BACK = "UPDATE partners_attempt SET n = n - 1 WHERE key = %s AND n > 0"
_SPENT = """
SELECT n >= %(limit)s FROM partners_attempt
WHERE key = %(key)s AND began_at > now() - make_interval(secs => %(seconds)s)
"""
_FORGET = "DELETE FROM partners_attempt WHERE began_at < now() - interval '1 day'"


@dataclass(frozen=True)
class Key:
    """What is counted: `subject` at `door`, at most `limit` times in `seconds`."""

    door: str
    subject: str
    limit: int
    seconds: int

    @property
    def hashed(self) -> str:
        return hashlib.sha256(f"{self.door}\n{self.subject}".encode()).hexdigest()


def take(keys: Iterable[Key]) -> bool:
    """Count one try of each key. False at the first that has none left.

    The keys after it are not counted: who is refused as a network fills no table with accounts.
    """
    with connection.cursor() as cursor:
        for key in keys:
            cursor.execute(_TAKE, {"key": key.hashed, "seconds": key.seconds})
            if cursor.fetchone()[0] > key.limit:
                return False
    return True


def give_back(keys: Iterable[Key]) -> None:
    """Undo one `take`: the try succeeded, which says nothing about the tries before it."""
    with connection.cursor() as cursor:
        for key in keys:  # one at a time: two requests that lock several would wait for each other
            cursor.execute(_GIVE_BACK, [key.hashed])


def spent(key: Key) -> bool:
    """Whether no try is left, without counting one."""
    with connection.cursor() as cursor:
        cursor.execute(_SPENT, {"key": key.hashed, "limit": key.limit, "seconds": key.seconds})
        row = cursor.fetchone()
    return bool(row and row[0])


def forget_old() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_FORGET)


def account_of(name: str) -> str:
    """One spelling of an address: without case, blanks, invisible signs, or look-alike widths."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in folded if unicodedata.category(c) not in ("Cc", "Cf", "Zs"))


def network_of(address: str) -> str:
    """What one attacker holds: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return str(ipaddress.ip_network((ip, 64), strict=False))
        ip = ip.ipv4_mapped
    return str(ip)


def is_known_at(name: str, network: str) -> bool:
    """Whether the account has a session in that network.

    Its owner is not locked out there by strangers who try the account from elsewhere.
    """
    user = User.objects.filter(email__iexact=name.strip()).first()
    rows = Session.objects.filter(user=user).exclude(ip=None) if user else Session.objects.none()
    return any(network_of(str(ip)) == network for ip in rows.values_list("ip", flat=True))
