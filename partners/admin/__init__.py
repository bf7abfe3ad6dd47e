"""The staff's pages: partners and people, grants and holdings, titles, the audit trail."""

from partners.admin import (
    audit,
    consents,
    credentials,
    fansets,
    grants,
    holdings,
    people,
    single_sign_on,
    titles,
    users,
)

__all__ = [
    "audit",
    "consents",
    "credentials",
    "fansets",
    "grants",
    "holdings",
    "people",
    "single_sign_on",
    "titles",
    "users",
]
