"""The staff's pages: partners and people, grants and holdings, titles, the audit trail."""

from partners.admin import (
    access_requests,
    audit,
    consents,
    credentials,
    fansets,
    grant_files,
    grants,
    holdings,
    people,
    single_sign_on,
    staff_views,
    titles,
    users,
)

__all__ = [
    "access_requests",
    "audit",
    "consents",
    "credentials",
    "fansets",
    "grant_files",
    "grants",
    "holdings",
    "people",
    "single_sign_on",
    "staff_views",
    "titles",
    "users",
]
