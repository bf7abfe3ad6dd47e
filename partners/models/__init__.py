from partners.models.audit import AuditEvent, AuditLink, AuditSeal
from partners.models.credentials import Credential
from partners.models.grants import Consent, Entitlement, Grant, Holding
from partners.models.people import Invitation, Membership, Partner, User
from partners.models.sign_in import Attempt, Session
from partners.models.single_sign_on import ClaimedDomain, ExternalIdentity, IdentityProvider
from partners.models.staff import RoleChange

__all__ = [
    "Attempt",
    "AuditEvent",
    "AuditLink",
    "AuditSeal",
    "ClaimedDomain",
    "Consent",
    "Credential",
    "Entitlement",
    "ExternalIdentity",
    "Grant",
    "Holding",
    "IdentityProvider",
    "Invitation",
    "Membership",
    "Partner",
    "RoleChange",
    "Session",
    "User",
]
