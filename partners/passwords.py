"""What a password may be (NIST SP 800-63B-4, 3.1.1.2): long, and nothing that is guessed first.

No rules about kinds of characters; blanks and any script count. Common passwords are refused by
Django's list beside these.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from partners.models import Partner, User

LONGEST = 256
_ENOUGH_OF_ONES_OWN = 8
"""Characters that must be left when the words that anybody here would try are taken out."""


class NotTooLong:
    """Hashing takes longer the longer it is: a megabyte is no password."""

    def validate(self, password: str, user: Any = None) -> None:
        if len(password) > LONGEST:
            raise ValidationError(self.get_help_text(), code="password_too_long")

    def get_help_text(self) -> str:
        return _("At most %(n)s characters.") % {"n": LONGEST}


class NotOfThisPlace:
    """Not made of the portal's name, a partner's, one's own address, or one thing repeated."""

    def validate(self, password: str, user: Any = None) -> None:
        rest = _letters(password)
        for word in sorted(_words(user), key=len, reverse=True):
            rest = rest.replace(word, "")
        repeated = re.fullmatch(r"(.{1,7}?)\1+.{0,7}", rest)
        if len(rest) < _ENOUGH_OF_ONES_OWN or len(set(rest)) < 5 or repeated:
            raise ValidationError(self.get_help_text(), code="password_of_this_place")

    def get_help_text(self) -> str:
        return _(
            "Not made of the portal's name, the organisation's, your own address, or one thing"
            " again and again."
        )


def _words(user: Any) -> set[str]:
    words = {settings.PORTAL_NAME, "dailies", "password", "密码"}
    if isinstance(user, User):
        words |= {user.name, *re.split(r"[@.+_-]", user.email)}
        for partner in _partners(user):
            words |= {partner.slug, partner.name_zh, partner.name_en, *partner.name_en.split()}
    return {w for w in map(_letters, words) if len(w) >= 2 and w not in ("com", "cn", "org")}


def _partners(user: User) -> QuerySet[Partner]:
    """Those the person belongs to, or is invited to."""
    invited = Partner.objects.filter(invitations__email__iexact=user.email)
    return (invited | Partner.objects.filter(members=user.pk)).distinct()


def _letters(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if c.isalnum())
