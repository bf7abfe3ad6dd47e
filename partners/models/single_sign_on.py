"""Single sign-on of a partner organisation: its provider, its domains, whose subject is whose."""

from __future__ import annotations

import uuid

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from partners.models.people import Partner, User

# OpenID Connect Discovery 1.0: an https address without query and fragment. One on this machine,
# for trying it out, is not believed in production (portal/web/oidc.py).
_ISSUER = RegexValidator(
    r"^(https://[^\s/?#@]+|http://(localhost|127\.0\.0\.1)(:\d+)?)(/[^\s?#]*)?$",
    _("An https address as the provider writes it, without ? and #."),
)
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = RegexValidator(rf"^({_LABEL}\.)+{_LABEL}$")


class IdentityProvider(models.Model):
    """The OpenID Connect provider that signs a partner's members in, and what it is trusted with.

    Its id stands in the address of its sign-in and cannot be guessed: who does not know it does
    not learn that the partner is a customer. The client's secret is kept encrypted, under a key
    that follows from SECRET_KEY (partners/single_sign_on.py).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    partner = models.OneToOneField(
        Partner, models.PROTECT, related_name="identity_provider", verbose_name=_("partner")
    )
    issuer = models.CharField(
        _("issuer"),
        max_length=500,
        validators=[_ISSUER],
        help_text=_("Exactly as the provider writes it in its tokens, with or without a slash."),
    )
    client_id = models.CharField(_("client id"), max_length=300)
    client_secret_encrypted = models.TextField(editable=False, blank=True)
    enabled = models.BooleanField(_("enabled"), default=False)
    enforced = models.BooleanField(
        _("enforced"),
        default=False,
        help_text=_("The partner's pages open by single sign-on only; passwords do not."),
    )
    vouches_second_factor = models.BooleanField(
        _("second factor at the provider"),
        default=False,
        help_text=_(
            "Where the provider says that it asked for a second factor, the portal asks for none."
        ),
    )

    class Meta:
        verbose_name = _("identity provider")
        verbose_name_plural = _("identity providers")
        ordering = ["partner"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(enforced=True) | Q(enabled=True),
                name="enforced_single_sign_on_is_enabled",
            )
        ]

    def __str__(self) -> str:
        return f"{self.partner.slug} {self.issuer}"


class ClaimedDomain(models.Model):
    """A mail domain that a partner says is its own. It counts once a second person verified it.

    One domain belongs to one partner: its provider speaks for every address under it.
    """

    partner = models.ForeignKey(
        Partner, models.PROTECT, related_name="claimed_domains", verbose_name=_("partner")
    )
    domain = models.CharField(_("domain"), max_length=253, unique=True, validators=[_DOMAIN])
    claimed_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", editable=False, verbose_name=_("claimed by")
    )
    claimed_at = models.DateTimeField(_("claimed at"), auto_now_add=True)
    verified_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+",
        verbose_name=_("verified by"),
    )  # fmt: skip
    verified_at = models.DateTimeField(_("verified at"), null=True, editable=False)
    evidence = models.CharField(
        _("evidence"), max_length=300, blank=True, editable=False,
        help_text=_("How it was verified: the DNS record that was seen, the letter, its date."),
    )  # fmt: skip

    class Meta:
        verbose_name = _("claimed domain")
        verbose_name_plural = _("claimed domains")
        ordering = ["domain"]
        constraints = [
            models.CheckConstraint(
                condition=Q(verified_by__isnull=True) | ~Q(verified_by=F("claimed_by")),
                name="domain_needs_two_people",
            ),
            models.CheckConstraint(
                condition=Q(verified_by__isnull=True, verified_at__isnull=True, evidence="")
                | (Q(verified_by__isnull=False, verified_at__isnull=False) & ~Q(evidence="")),
                name="verified_domain_says_by_whom_and_how",
            ),
        ]

    def __str__(self) -> str:
        return self.domain


class ExternalIdentity(models.Model):
    """A provider's subject is this login, for good: an address may change hands, a subject not."""

    provider = models.ForeignKey(
        IdentityProvider, models.CASCADE, related_name="identities", verbose_name=_("provider")
    )
    subject = models.CharField(_("subject"), max_length=255)
    user = models.ForeignKey(
        User, models.CASCADE, related_name="external_identities", verbose_name=_("user")
    )
    bound_at = models.DateTimeField(_("bound at"), auto_now_add=True)

    class Meta:
        verbose_name = _("external identity")
        verbose_name_plural = _("external identities")
        constraints = [
            models.UniqueConstraint(fields=["provider", "subject"], name="subject_is_one_login"),
            models.UniqueConstraint(fields=["provider", "user"], name="login_has_one_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.provider.partner.slug})"
