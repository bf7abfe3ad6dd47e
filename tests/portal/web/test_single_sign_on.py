"""Single sign-on through a partner's own provider: cases 65 and 68, and what it opens."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from joserfc.jwk import RSAKey

from partners.models import (
    AuditEvent,
    ClaimedDomain,
    ExternalIdentity,
    IdentityProvider,
    Invitation,
    Membership,
    Partner,
    User,
)
from partners.single_sign_on import keep_secret, verify_domain
from portal.web import oidc
from tests.cast import Cast
from tests.portal.providers import (
    CLIENT_ID,
    CLIENT_SECRET,
    LyingProvider,
    RealProvider,
    lying_provider,
    real_provider,
)

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def real() -> Iterator[RealProvider]:
    with real_provider() as provider:
        yield provider


@pytest.fixture
def liar() -> Iterator[LyingProvider]:
    with lying_provider() as provider:
        yield provider


def signs_in_by(cast: Cast, partner: Partner, issuer: str, **fields: Any) -> IdentityProvider:
    """Set up as two of the staff do it, with <slug>.example as the partner's domain."""
    provider = IdentityProvider(
        partner=partner, issuer=issuer, client_id=CLIENT_ID, **{"enabled": True, **fields}
    )
    keep_secret(provider, CLIENT_SECRET)
    provider.save()
    domain = ClaimedDomain.objects.create(
        partner=partner, domain=f"{partner.slug}.example", claimed_by=cast.stella
    )
    verify_domain(domain, evidence="TXT record seen", by=cast.sam)
    return provider


def address(user: User, email: str) -> None:
    user.email = email
    user.save()
    user.emailaddress_set.update_or_create(
        primary=True, defaults={"email": email, "verified": True}
    )


@pytest.fixture
def aurora(cast: Cast) -> Cast:
    address(cast.alice.user, "alice@aurora.example")
    return cast


def through(browser: Client, provider: IdentityProvider, sign_in: Callable[[str], str]) -> Any:
    """The whole way: our button, the provider, and back."""
    back = urlsplit(sign_in(begun(browser, provider)))
    return browser.get(f"{back.path}?{back.query}")


def begun(browser: Client, provider: IdentityProvider) -> str:
    """Where the page of a new attempt goes on to."""
    started = browser.post(reverse("single_sign_on", args=[provider.pk]))
    assert started.status_code == 200, started.content
    return str(started.context["url"])


def test_a_member_signs_in_through_a_real_provider(aurora: Cast, real: RealProvider) -> None:
    provider = signs_in_by(aurora, aurora.aurora, real.issuer)
    real.has("subject-7", email="alice@aurora.example", email_verified=True)
    browser = Client()
    response = through(browser, provider, lambda url: real.sign_in(url, "subject-7"))
    assert (response.status_code, response["Location"]) == (302, "/p/aurora/")
    assert browser.get("/p/aurora/").status_code == 200
    identity = ExternalIdentity.objects.get()
    assert (identity.subject, identity.user_id) == ("subject-7", aurora.alice.user_id)


def test_the_subject_is_the_login_whatever_its_address_becomes(
    aurora: Cast, real: RealProvider
) -> None:
    provider = signs_in_by(aurora, aurora.aurora, real.issuer)
    real.has("subject-8", email="alice@aurora.example", email_verified=True)
    through(Client(), provider, lambda url: real.sign_in(url, "subject-8"))
    real.has("subject-8", email="renamed@aurora.example", email_verified=True)
    again = through(Client(), provider, lambda url: real.sign_in(url, "subject-8"))
    assert again["Location"] == "/p/aurora/"
    # the address went to somebody new at the organisation, who is not Alice
    real.has("subject-9", email="alice@aurora.example", email_verified=True)
    other = through(Client(), provider, lambda url: real.sign_in(url, "subject-9"))
    assert other.status_code == 403


def test_an_invited_person_needs_no_password(aurora: Cast, real: RealProvider) -> None:
    provider = signs_in_by(aurora, aurora.aurora, real.issuer)
    real.has("new", email="nora@aurora.example", email_verified=True, name="Nora")
    uninvited = through(Client(), provider, lambda url: real.sign_in(url, "new"))
    assert uninvited.status_code == 403
    assert not User.objects.filter(email="nora@aurora.example").exists()

    Invitation.objects.create(
        email="nora@aurora.example",
        partner=aurora.aurora,
        role="analyst",
        token_sha256="0" * 64,
        made_by=aurora.alice.user,
        expires_at=timezone.now() + timedelta(days=7),
    )
    browser = Client()
    assert through(browser, provider, lambda url: real.sign_in(url, "new")).status_code == 302
    assert browser.get("/p/aurora/").status_code == 200
    nora = Membership.objects.get(user__email="nora@aurora.example")
    assert (nora.partner, nora.role) == (aurora.aurora, "analyst")
    assert not nora.user.has_usable_password()


# -- what a provider cannot make us believe ---------------------------------------------------


def test_the_small_provider_is_believed_while_it_tells_the_truth(
    aurora: Cast, liar: LyingProvider
) -> None:
    """Shared by all refusals below: they differ from this by their one lie."""
    provider = signs_in_by(aurora, aurora.aurora, liar.issuer)
    assert through(Client(), provider, liar.sign_in)["Location"] == "/p/aurora/"


LIES: dict[str, Callable[[LyingProvider], None]] = {
    "not signed": lambda p: setattr(p, "signed", p.unsigned),
    "signed by the shared secret": lambda p: setattr(p, "signed", p.signed_by_the_shared_secret),
    "signed by the public key": lambda p: setattr(p, "signed", p.signed_by_the_public_key),
    "signed by another's key": lambda p: setattr(
        p, "signed", lambda claims: p.sign(claims, RSAKey.generate_key(2048))
    ),
    "no token": lambda p: setattr(p, "signed", lambda claims: None),
    "garbage": lambda p: setattr(p, "signed", lambda claims: "a.b.c"),
    "another issuer": lambda p: p.claims.update(iss="https://accounts.example"),
    "another audience": lambda p: p.claims.update(aud="another-client"),
    "an audience beside us": lambda p: p.claims.update(aud=[CLIENT_ID, "another-client"]),
    "made for another party": lambda p: p.claims.update(azp="another-client"),
    "no nonce": lambda p: p.claims.update(nonce=None),
    "another attempt's nonce": lambda p: p.claims.update(nonce="replayed"),
    "expired": lambda p: p.claims.update(exp=int(time.time()) - 3600),
    "no end": lambda p: p.claims.update(exp=None),
    "from the future": lambda p: p.claims.update(iat=int(time.time()) + 3600),
    "no subject": lambda p: p.claims.update(sub=None),
    "an endless subject": lambda p: p.claims.update(sub="s" * 256),
    "an address that is not verified": lambda p: p.claims.update(email_verified=False),
    "an address verified in words": lambda p: p.claims.update(email_verified="true"),
    "no address": lambda p: p.claims.update(email=None),
    "an address of another domain": lambda p: p.claims.update(email="bob@example.com"),
    "a domain that only ends alike": lambda p: p.claims.update(email="alice@notaurora.example"),
    "an address in an address": lambda p: p.claims.update(email="a@aurora.example@evil.example"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_signs_nobody_in(aurora: Cast, liar: LyingProvider, lie: str) -> None:
    """Case 68."""
    provider = signs_in_by(aurora, aurora.aurora, liar.issuer)
    LIES[lie](liar)
    browser = Client()
    response = through(browser, provider, liar.sign_in)
    assert response.status_code == 403
    assert browser.get("/p/aurora/").status_code == 302  # to the sign-in
    assert not ExternalIdentity.objects.exists()
    refused = AuditEvent.objects.get(action="single_sign_on.refused")
    assert refused.partner == aurora.aurora
    assert refused.detail["reason"]


def test_a_configuration_of_another_issuer_is_not_followed(
    aurora: Cast, liar: LyingProvider
) -> None:
    provider = signs_in_by(aurora, aurora.aurora, liar.issuer)
    liar.metadata["issuer"] = "https://accounts.example"
    response = Client().post(reverse("single_sign_on", args=[provider.pk]))
    assert response.status_code == 403


@pytest.mark.parametrize("endpoint", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_an_address_without_tls_is_not_followed(
    aurora: Cast, liar: LyingProvider, endpoint: str
) -> None:
    provider = signs_in_by(aurora, aurora.aurora, liar.issuer)
    browser = Client()
    url = begun(browser, provider)
    liar.metadata[endpoint] = "http://provider.example/"
    if endpoint == "authorization_endpoint":
        again = browser.post(reverse("single_sign_on", args=[provider.pk]))
        assert again.status_code == 403
        return
    back = urlsplit(liar.sign_in(url))
    assert browser.get(f"{back.path}?{back.query}").status_code == 403


def test_in_production_a_provider_on_this_machine_is_not_believed(
    aurora: Cast, liar: LyingProvider, settings: Any
) -> None:
    provider = signs_in_by(aurora, aurora.aurora, liar.issuer)
    settings.PRODUCTION = True
    with pytest.raises(oidc.SignOnFailed, match="without TLS"):
        oidc.begin(provider, "https://portal.example/back")


def test_an_answer_is_used_once_and_by_the_browser_that_asked(
    aurora: Cast, liar: LyingProvider
) -> None:
    """Case 68: replayed, no state, another browser's state, too late."""
    provider = signs_in_by(aurora, aurora.aurora, liar.issuer)
    browser = Client()
    url = begun(browser, provider)
    back = urlsplit(liar.sign_in(url))
    answer = f"{back.path}?{back.query}"
    assert Client().get(answer).status_code == 403  # login cross-site request forgery
    assert browser.get(answer)["Location"] == "/p/aurora/"
    browser.post(reverse("account_logout"))
    assert browser.get(answer).status_code == 403  # the same answer again

    url = begun(browser, provider)
    assert browser.get(f"{back.path}?code=one-code").status_code == 403  # and the state is spent
    back = urlsplit(liar.sign_in(url))
    assert browser.get(f"{back.path}?{back.query}").status_code == 403


def test_an_attempt_that_took_too_long_is_refused(
    aurora: Cast, liar: LyingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = signs_in_by(aurora, aurora.aurora, liar.issuer)
    browser = Client()
    url = begun(browser, provider)
    monkeypatch.setattr(oidc, "ATTEMPT_S", 0)
    back = urlsplit(liar.sign_in(url))
    assert browser.get(f"{back.path}?{back.query}").status_code == 403


def test_another_issuers_answer_is_refused(aurora: Cast, liar: LyingProvider) -> None:
    """RFC 9207: the mix-up of two providers."""
    provider = signs_in_by(aurora, aurora.aurora, liar.issuer)
    response = through(
        Client(), provider, lambda url: liar.sign_in(url, iss="https://accounts.example")
    )
    assert response.status_code == 403


def test_what_is_sent_to_the_provider_holds_nonce_state_and_a_challenge(
    aurora: Cast, liar: LyingProvider
) -> None:
    provider = signs_in_by(aurora, aurora.aurora, liar.issuer)
    through(Client(), provider, liar.sign_in)
    assert sorted(liar.asked) == [
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "nonce",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
    ]
    assert liar.asked["code_challenge_method"] == "S256"
    assert liar.asked["redirect_uri"].startswith("http://localhost:8000/account/single-sign-on/")
    assert min(len(liar.asked["nonce"]), len(liar.asked["state"])) >= 32


def test_a_provider_that_is_away_opens_nothing_and_says_so(
    aurora: Cast, liar: LyingProvider
) -> None:
    """Fault 24."""
    provider = signs_in_by(aurora, aurora.aurora, "http://localhost:9")
    response = Client().post(reverse("single_sign_on", args=[provider.pk]))
    assert response.status_code == 403
    assert "did not work" in response.content.decode() or "未成功" in response.content.decode()


# -- what it opens ------------------------------------------------------------------------------


def test_a_provider_opens_its_own_partner_only(aurora: Cast, liar: LyingProvider) -> None:
    """Whoever runs it can be any of its users, and Alice is also a member of a competitor."""
    Membership.objects.create(user=aurora.alice.user, partner=aurora.borealis, role="viewer")
    provider = signs_in_by(aurora, aurora.aurora, liar.issuer)
    browser = Client(headers={"accept-language": "en"})
    through(browser, provider, liar.sign_in)
    assert browser.get("/p/aurora/").status_code == 200
    assert browser.get("/p/borealis/").status_code == 403
    assert browser.get("/api/v1/p/borealis/titles/").status_code == 403
    assert "ZQB" not in browser.get("/p/borealis/").content.decode()


def test_enforced_it_closes_the_password_door(aurora: Cast, liar: LyingProvider) -> None:
    """Case 65: the page, the API, the reset and the admin."""
    alice = aurora.alice.user
    alice.set_password(PASSWORD)
    alice.save()
    provider = signs_in_by(aurora, aurora.aurora, liar.issuer)

    def password() -> Client:
        browser = Client(headers={"accept-language": "en"})
        browser.post("/account/login/", {"login": alice.email, "password": PASSWORD})
        return browser

    assert password().get("/p/aurora/").status_code == 200
    before = password()
    IdentityProvider.objects.update(enforced=True)
    assert before.get("/p/aurora/").status_code == 302  # a session from before is shut out too
    assert before.get("/api/v1/p/aurora/titles/").status_code == 403

    after = Client(headers={"accept-language": "en"})
    right = after.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    wrong = after.post("/account/login/", {"login": alice.email, "password": "not the password"})
    assert right.status_code == wrong.status_code == 200
    assert "_auth_user_id" not in after.session

    mail.outbox.clear()
    after.post("/account/password/reset/", {"email": alice.email})
    [message] = mail.outbox
    assert "/account/single-sign-on/" in message.body
    assert "/password/reset/" not in message.body

    assert through(Client(), provider, liar.sign_in)["Location"] == "/p/aurora/"


def test_enforced_elsewhere_a_password_still_opens_the_others(
    aurora: Cast, liar: LyingProvider
) -> None:
    alice = aurora.alice.user
    alice.set_password(PASSWORD)
    alice.save()
    Membership.objects.create(user=alice, partner=aurora.cirrus, role="viewer")
    signs_in_by(aurora, aurora.aurora, liar.issuer, enforced=True)
    browser = Client()
    browser.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    assert browser.get("/p/cirrus/").status_code == 200
    assert browser.get("/p/aurora/").status_code == 302


def test_through_a_provider_the_way_into_other_partners_is_not_changed(
    aurora: Cast, liar: LyingProvider
) -> None:
    Membership.objects.create(user=aurora.alice.user, partner=aurora.cirrus, role="viewer")
    provider = signs_in_by(aurora, aurora.aurora, liar.issuer)
    browser = Client()
    through(browser, provider, liar.sign_in)
    for page in ("account_change_password", "account_set_password"):
        assert browser.get(reverse(page)).status_code == 403


@pytest.mark.parametrize("change", ["disabled", "removed", "suspended", "switched off", "staff"])
def test_what_ends_a_person_ends_their_single_sign_on(
    aurora: Cast, liar: LyingProvider, change: str
) -> None:
    """Case 20: the session from before, and the next sign-in."""
    provider = signs_in_by(aurora, aurora.aurora, liar.issuer)
    browser = Client()
    through(browser, provider, liar.sign_in)
    assert browser.get("/p/aurora/").status_code == 200
    if change == "disabled":
        User.objects.filter(pk=aurora.alice.user_id).update(is_active=False)
    elif change == "removed":
        aurora.alice.delete()
    elif change == "suspended":
        Partner.objects.filter(pk=aurora.aurora.pk).update(suspended_at=timezone.now())
    elif change == "switched off":
        IdentityProvider.objects.update(enabled=False)
    else:
        User.objects.filter(pk=aurora.alice.user_id).update(is_staff=True)
    if change != "staff":
        assert browser.get("/p/aurora/").status_code in (302, 403, 404)
    fresh = Client()
    started = fresh.post(reverse("single_sign_on", args=[provider.pk]))
    if started.status_code == 200:
        back = urlsplit(liar.sign_in(started.context["url"]))
        started = fresh.get(f"{back.path}?{back.query}")
    assert started.status_code in (403, 404)
    assert "_auth_user_id" not in fresh.session


# -- how it is found ----------------------------------------------------------------------------


def test_the_address_is_mailed_and_the_page_tells_nobody_apart(
    aurora: Cast, liar: LyingProvider
) -> None:
    """Case 64, single sign-on: an address that has it, one that does not, and a made-up one."""
    provider = signs_in_by(aurora, aurora.aurora, liar.issuer)
    answers = set()
    for n, email in enumerate(("alice@aurora.example", "bob@example.com", "nobody@else.example")):
        mail.outbox.clear()
        response = Client(REMOTE_ADDR=f"192.0.2.{n}").post(
            reverse("single_sign_on_ask"), {"email": email}
        )
        page = re.sub(r'(?<=csrfmiddlewaretoken" value=")\w+', "", response.content.decode())
        page = page.replace(email, "ADDRESS")
        answers.add((response.status_code, page, len(mail.outbox)))
        assert (str(provider.pk) in mail.outbox[0].body) == (email == "alice@aurora.example")
    assert len(answers) == 1


def test_an_address_is_not_mailed_without_end(aurora: Cast) -> None:
    """Case 67: by the address asked for, however it is written."""
    browser = Client()
    ask = reverse("single_sign_on_ask")
    answers = [browser.post(ask, {"email": e}) for e in ("a@else.example", "A@ELSE.example ") * 3]
    assert [a.status_code for a in answers] == [200] * 5 + [429]
    assert len(mail.outbox) == 5


def test_a_domain_counts_only_once_a_second_person_verified_it(
    aurora: Cast, liar: LyingProvider
) -> None:
    provider = signs_in_by(aurora, aurora.aurora, liar.issuer)
    ClaimedDomain.objects.update(verified_by=None, verified_at=None, evidence="")
    assert through(Client(), provider, liar.sign_in).status_code == 403


def test_a_made_up_address_of_a_sign_in_is_a_404(aurora: Cast) -> None:
    made_up = Client().get("/account/single-sign-on/00000000-0000-4000-8000-000000000000/")
    assert made_up.status_code == 404
