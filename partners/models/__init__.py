from partners.models.audit import AuditEvent
from partners.models.grants import Entitlement, Grant, Holding
from partners.models.people import Invitation, Membership, Partner, User

__all__ = [
    "AuditEvent",
    "Entitlement",
    "Grant",
    "Holding",
    "Invitation",
    "Membership",
    "Partner",
    "User",
]
