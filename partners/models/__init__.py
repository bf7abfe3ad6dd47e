from partners.models.audit import AuditEvent
from partners.models.credentials import Credential
from partners.models.grants import Consent, Entitlement, Grant, Holding
from partners.models.people import Invitation, Membership, Partner, User

__all__ = [
    "AuditEvent",
    "Consent",
    "Credential",
    "Entitlement",
    "Grant",
    "Holding",
    "Invitation",
    "Membership",
    "Partner",
    "User",
]
