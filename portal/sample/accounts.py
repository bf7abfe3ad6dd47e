"""The sample platform's logins, and the one password they share on this machine.

The password is random and kept in this checkout's var/: a demo that is reachable from elsewhere
is not open to everybody who has read the source.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.mfa.utils import decrypt
from django.conf import settings
from django.contrib.auth.hashers import make_password

from partners import credentials
from partners.models import Credential, Membership, Partner, User
from portal.sample.platform import PARTNERS, STAFF

_WORDS = ("lamp", "tide", "crease", "pier", "clock", "cloud", "noodle", "whale", "paper", "ferry")


def sample_password() -> str:
    """Made at the first call; 15 characters and more, easily typed."""
    path = settings.VAR / "secrets" / "sample-password"
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(encoding="utf-8")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    words = "-".join(secrets.choice(_WORDS) for _ in range(2))
    with contextlib.suppress(FileExistsError):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.write(f"{words}-{secrets.token_hex(5)}")
    return path.read_text(encoding="utf-8")


def create_people() -> None:
    """Partners with their members, and the two of the staff, all able to sign in.

    Staff have an authenticator app already, whose codes the demo prints.
    """
    password = make_password(sample_password())  # hashed once: it is meant to be slow
    for person in STAFF:
        user = _user(person.email, person.name, password, is_staff=True, is_superuser=True)
        TOTP.activate(user, generate_totp_secret())
    for spec in PARTNERS:
        partner = Partner.objects.create(slug=spec.slug, name_zh=spec.name_zh, name_en=spec.name_en)
        for member in spec.members:
            user = _user(member.email, member.name, password, language=member.language)
            Membership.objects.create(user=user, partner=partner, role=member.role)


def totp_secrets() -> dict[str, str]:
    """The secret of each person's authenticator app, by e-mail: what the demo tells."""
    rows = Authenticator.objects.filter(type=Authenticator.Type.TOTP).select_related("user")
    return {row.user.email: decrypt(row.data["secret"]) for row in rows}


def _user(email: str, name: str, password: str, **fields: object) -> User:
    user = User.objects.create(email=email, password=password, name=name, **fields)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def create_tokens() -> None:
    """A token of each partner's owner, which this checkout's var/ keeps: the database cannot."""
    tokens = {}
    for owner in Membership.objects.filter(
        partner__slug__in=[p.slug for p in PARTNERS], role=Membership.Role.OWNER
    ).select_related("partner", "user"):
        _, tokens[owner.partner.slug] = credentials.make(
            membership=owner,
            name="Notebook",
            exits=["api", "export"],
            families=None,
            networks=[],
            lasts=Credential.LONGEST,
        )
    path = _tokens_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # of a sample that was in before
    path.touch(mode=0o600)
    path.write_text(json.dumps(tokens), encoding="utf-8")


def sample_tokens() -> dict[str, str]:
    """The token of each partner by its slug; none where the sample's were not made here."""
    try:
        tokens: dict[str, str] = json.loads(_tokens_path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return tokens


def _tokens_path() -> Path:
    return Path(settings.VAR) / "secrets" / "sample-tokens.json"
