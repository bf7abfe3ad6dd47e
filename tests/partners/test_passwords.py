"""What a password may be, and how it is kept."""

from __future__ import annotations

import unicodedata

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from partners.models import Invitation, User
from tests.cast import Cast
from tests.portal.web.test_second_factor import PASSWORD, able, english


@pytest.mark.parametrize(
    ("password", "may_be"),
    [
        ("quiet-evening1", False),  # 14
        ("quiet-evening-1", True),  # 15
        ("seven lanterns on the quay by the old mill where nobody looks up", True),  # 64
        ("七盏灯笼挂在码头旁边的旧磨坊没有人抬头看", True),
        (" blank first, and blank last ", True),
        ("correct horse battery staple " * 4 + "and one more", True),  # 128
        ("quiet evening on the pier " * 20, False),
        ("passwordpassword", False),
        ("dailies-dailies-2026", False),
        ("Aurora Aurora Aurora 1", False),
        ("极光影业极光影业极光影业1234", False),
        ("alice@example.com2026", False),
        ("aaaaaaaaaaaaaaaaaaaa", False),
        ("abc123abc123abc123", False),
    ],
)
def test_a_password_is_long_and_nothing_that_is_guessed_first(
    cast: Cast, password: str, may_be: bool
) -> None:
    """Case 72."""

    def accepted() -> bool:
        try:
            validate_password(password, cast.alice.user)
        except ValidationError:
            return False
        return True

    assert accepted() is may_be


def test_the_name_of_who_invites_is_no_password_either(cast: Cast) -> None:
    """Case 72: the invited is no member yet."""
    Invitation.objects.create(
        email="nora@example.com", partner=cast.aurora, token_sha256="x", made_by=cast.stella,
        expires_at="2030-01-01T00:00Z",
    )  # fmt: skip
    with pytest.raises(ValidationError):
        validate_password("aurora-aurora-2026", User(email="nora@example.com"))


def test_a_password_is_the_same_however_the_keyboard_composes_it(cast: Cast) -> None:
    user, typed = cast.alice.user, "ｃafé-au-lait-à-minuit"
    user.set_password(unicodedata.normalize("NFD", typed))
    assert user.check_password(unicodedata.normalize("NFC", typed))
    assert not user.check_password(typed.upper())


def test_a_password_is_kept_by_argon2id_and_hashed_anew_at_sign_in(cast: Cast) -> None:
    """Case 72: what was hashed more cheaply once is not kept so."""

    class Cheaper(Argon2PasswordHasher):
        time_cost, memory_cost, parallelism = 1, 8, 1

    user = able(cast.alice.user, totp=False)
    user.password = cheap = Cheaper().encode(PASSWORD, "a-salt-of-8-bytes")
    user.save()
    form = {"login": user.email, "password": PASSWORD}
    assert english().post("/account/login/", form).status_code == 302
    user.refresh_from_db()
    assert user.password.startswith("argon2$argon2id$")
    assert user.password != cheap
    assert f"m={Argon2PasswordHasher.memory_cost}" in user.password
