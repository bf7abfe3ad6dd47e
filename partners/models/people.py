"""Organisations and people: who signs in, and for which partner."""

from __future__ import annotations

import unicodedata
import uuid
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from partners.models.credentials import Credential
    from partners.models.requests import StaffView


class UserManager(BaseUserManager["User"]):
    """Users are found and made by e-mail, compared without regard to case."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


def _composed(password: str | None) -> str | None:
    """One form of the same characters: keyboards differ in how they put them together."""
    return None if password is None else unicodedata.normalize("NFKC", password)


class User(AbstractBaseUser, PermissionsMixin):
    """One login. It may belong to several partners, or be platform staff."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=150, blank=True)
    language = models.CharField(
        _("language"),
        max_length=10,
        choices=[("zh-hans", _("Simplified Chinese")), ("en", _("English"))],
        default="zh-hans",
    )
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("platform staff"), default=False)
    limit_partners = ArrayField(
        models.UUIDField(), verbose_name=_("only these partners"), null=True, blank=True
    )  # of staff: null does not narrow, an empty one leaves nothing
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)
    session_epoch = models.PositiveIntegerField(default=0, editable=False)
    """Part of what a session is checked by: raising it ends every session of the user."""

    objects = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["email"]

    def __str__(self) -> str:
        return self.email

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What Django compares at each request: the password as stored, and the epoch."""
        return salted_hmac(
            "partners.User.session",
            f"{self.session_epoch}:{self.password}",
            secret=secret,
            algorithm="sha256",
        ).hexdigest()

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(_composed(raw_password))

    def check_password(self, raw_password: str | None) -> bool:
        return super().check_password(_composed(raw_password))

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.get_full_name()


_UNTOLD = ("password", "last_login", "is_superuser", "limit_partners")


_M = TypeVar("_M", bound=models.Model)


def with_people(rows: models.QuerySet[_M], *paths: str) -> models.QuerySet[_M]:
    """`rows` with the users at `paths` joined, by the columns that a partner's role may read."""
    return rows.select_related(*paths).defer(*(f"{p}__{name}" for p in paths for name in _UNTOLD))


class Partner(models.Model):
    """A production partner: the organisation that grants are made to."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(
        _("slug"),
        max_length=50,
        unique=True,
        help_text=_("Stands in every URL of the partner's pages."),
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*$")],
    )
    name_zh = models.CharField(_("Chinese name"), max_length=200)
    name_en = models.CharField(_("English name"), max_length=200, blank=True)
    suspended_at = models.DateTimeField(
        _("suspended"), null=True, blank=True, help_text=_("Closes every exit at once.")
    )
    requires_mfa = models.BooleanField(
        _("asks for a second factor"),
        default=False,
        help_text=_("Every member must set one up before any page opens."),
    )
    encrypt_reports = models.BooleanField(
        _("reports are encrypted"),
        default=False,
        help_text=_("The PDF opens with a password of each member's own (AES-256)."),
    )
    sign_reports = models.BooleanField(
        _("reports are signed"),
        default=False,
        help_text=_("The PDF carries the platform's signature (PAdES)."),
    )
    members = models.ManyToManyField(User, through="Membership", related_name="partners")

    class Meta:
        verbose_name = _("partner")
        verbose_name_plural = _("partners")
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.name_in(get_language() or "zh-hans")

    def name_in(self, language: str) -> str:
        return (self.name_en if language.startswith("en") else "") or self.name_zh


class Membership(models.Model):
    """A user's place in one partner: a role, and a limit that only narrows.

    A limit that is null does not narrow; an empty one leaves nothing. `credential` is no column:
    partners/credentials.py sets it on the member for whom a token acts, and every scope made for
    that member is narrowed to the token's.
    """

    class Role(models.TextChoices):
        OWNER = "owner", _("owner")
        ANALYST = "analyst", _("analyst")
        VIEWER = "viewer", _("viewer")

    credential: Credential | None = None

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        User, models.CASCADE, related_name="memberships", verbose_name=_("user")
    )
    partner = models.ForeignKey(
        Partner, models.CASCADE, related_name="memberships", verbose_name=_("partner")
    )
    role = models.CharField(_("role"), max_length=16, choices=Role.choices)
    limit_titles = ArrayField(
        models.BigIntegerField(), verbose_name=_("only these titles"), null=True, blank=True
    )
    limit_families = ArrayField(
        models.CharField(max_length=32),
        verbose_name=_("only these families"),
        null=True,
        blank=True,
    )

    staff_view: StaffView | None = None
    """Set on a place that is in no table: staff look as the partner (partners/staff_views.py)."""

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        ordering = ["partner", "user"]
        constraints = [
            models.UniqueConstraint(fields=["user", "partner"], name="member_once_per_partner")
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.partner.slug})"


class Invitation(models.Model):
    """A mail that lets one address set a password and become a member or staff.

    Only the hash of its token is kept; opening the link changes nothing until a form is sent.
    """

    email = models.EmailField(_("e-mail"))
    partner = models.ForeignKey(
        Partner, models.CASCADE, null=True, blank=True, related_name="invitations",
        verbose_name=_("partner"),
    )  # fmt: skip
    role = models.CharField(_("role"), max_length=16, choices=Membership.Role.choices, blank=True)
    limit_titles = ArrayField(
        models.BigIntegerField(), verbose_name=_("only these titles"), null=True, blank=True
    )
    limit_families = ArrayField(
        models.CharField(max_length=32),
        verbose_name=_("only these families"),
        null=True,
        blank=True,
    )
    language = models.CharField(_("language"), max_length=10, default="zh-hans")
    token_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("made by"))
    made_at = models.DateTimeField(_("made at"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ["-made_at"]

    def __str__(self) -> str:
        return self.email
