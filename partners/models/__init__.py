from partners.models.audit import AuditEvent, AuditLink, AuditSeal
from partners.models.credentials import Credential
from partners.models.grants import LIVE, Consent, Entitlement, Grant, Holding
from partners.models.people import Invitation, Membership, Partner, User, with_people
from partners.models.requests import AccessRequest, GrantBatch, StaffView
from partners.models.sign_in import Attempt, Session
from partners.models.single_sign_on import ClaimedDomain, ExternalIdentity, IdentityProvider
from partners.models.staff import RoleChange

__all__ = [
    "LIVE",
    "AccessRequest",
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
    "GrantBatch",
    "Holding",
    "IdentityProvider",
    "Invitation",
    "Membership",
    "Partner",
    "RoleChange",
    "Session",
    "StaffView",
    "User",
    "with_people",
]
