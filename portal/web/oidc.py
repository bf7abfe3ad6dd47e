"""OpenID Connect, the authorization code flow with PKCE: what is sent, and what must come back.

Who may be signed in by it is decided in partners/single_sign_on.py. Here the provider is believed
only as far as OpenID Connect Core 1.0, section 3.1.3.7, goes: the issuer that staff entered, our
client id, the nonce of this very attempt, and a signature under one of the provider's keys, which
is checked although the token came over TLS.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from requests.adapters import HTTPAdapter

from partners.models import IdentityProvider
from partners.single_sign_on import secret_of

ALGORITHMS = ("RS256", "PS256", "ES256")
"""Signatures by a key pair. `none`, and secrets shared with the provider, are no signature."""
ATTEMPT_S = 600
"""So long the person may take at the provider."""
_TIMEOUT_S = 5
_MOST_BYTES = 1_000_000
_LEEWAY_S = 60
_LOCAL = ("localhost", "127.0.0.1")


class SignOnFailed(Exception):
    """The provider cannot be reached, or what came back is not what was asked for."""


def begin(provider: IdentityProvider, back: str) -> tuple[str, dict[str, Any]]:
    """The provider's address to send the browser to, and what its session keeps meanwhile.

    `back` is our callback's full address. Raises SignOnFailed.
    """
    kept = {
        "state": secrets.token_urlsafe(32),
        "nonce": secrets.token_urlsafe(32),
        "verifier": secrets.token_urlsafe(48),
        "at": time.time(),
    }
    with _session(provider, back) as session:
        url, _ = session.create_authorization_url(
            _endpoint(_metadata(session, provider), "authorization_endpoint"),
            state=kept["state"],
            nonce=kept["nonce"],
            code_verifier=kept["verifier"],
        )
    return url, kept


def finish(
    provider: IdentityProvider, back: str, kept: Mapping[str, Any], answer: Mapping[str, str]
) -> dict[str, Any]:
    """The verified claims of the id token that the answer's code is exchanged for.

    `kept` is what `begin` gave, taken out of the session: an attempt is used once. Raises
    SignOnFailed.
    """
    if not kept or not secrets.compare_digest(answer.get("state", ""), str(kept["state"])):
        raise SignOnFailed("the answer is to no attempt of this browser")
    if time.time() - kept["at"] > ATTEMPT_S:
        raise SignOnFailed("the attempt took too long")
    if answer.get("iss", provider.issuer) != provider.issuer:  # RFC 9207
        raise SignOnFailed("the answer is another issuer's")
    if "code" not in answer:
        raise SignOnFailed(f"the provider refused: {answer.get('error', 'no code')[:100]}")
    with _session(provider, back) as session:
        metadata = _metadata(session, provider)
        try:
            token = session.fetch_token(
                _endpoint(metadata, "token_endpoint"),
                grant_type="authorization_code",
                code=answer["code"],
                code_verifier=kept["verifier"],
                allow_redirects=False,
            )
        except (requests.RequestException, AuthlibBaseError, ValueError) as error:
            raise SignOnFailed("the code was not exchanged for a token") from error
        keys = _json(session, _endpoint(metadata, "jwks_uri"))
    return _verified(token.get("id_token"), keys, provider, kept["nonce"])


def _verified(
    token: Any, keys: Mapping[str, Any], provider: IdentityProvider, nonce: str
) -> dict[str, Any]:
    if not isinstance(token, str):
        raise SignOnFailed("the provider gave no id token")
    registry = jwt.JWTClaimsRegistry(
        leeway=_LEEWAY_S,
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": provider.client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        decoded = jwt.decode(token, KeySet.import_key_set(dict(keys)), algorithms=ALGORITHMS)  # type: ignore[arg-type]
        registry.validate(decoded.claims)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise SignOnFailed(f"the id token is not valid: {type(error).__name__}") from error
    claims: dict[str, Any] = decoded.claims
    if _for_others(claims["aud"], provider.client_id) or claims.get("azp") not in (
        None,
        provider.client_id,
    ):
        raise SignOnFailed("the id token is for others too")
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
        raise SignOnFailed("the id token names nobody")
    return claims


def _for_others(audience: str | list[str], client_id: str) -> bool:
    return audience != client_id and audience != [client_id]


# -- the provider's own documents ---------------------------------------------------------------


class _Bounded(HTTPAdapter):
    """Reads no answer that is large or slow beyond reason: a worker waits for it."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        kwargs["stream"] = True
        response = super().send(request, *args, **kwargs)
        until = time.monotonic() + 2 * _TIMEOUT_S
        body = b""
        for chunk in response.iter_content(65_536):
            body += chunk
            if len(body) > _MOST_BYTES or time.monotonic() > until:
                response.close()
                raise requests.RequestException("the answer is too large or too slow")
        response._content = body
        return response


def _session(provider: IdentityProvider, back: str) -> OAuth2Session:
    session = OAuth2Session(
        client_id=provider.client_id,
        client_secret=secret_of(provider),
        scope="openid email profile",
        redirect_uri=back,
        code_challenge_method="S256",
        default_timeout=_TIMEOUT_S,
    )
    session.trust_env = False  # no proxy or netrc of the machine's decides whom we believe
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Bounded())
    return session


def _metadata(session: OAuth2Session, provider: IdentityProvider) -> dict[str, Any]:
    url = provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
    metadata = _json(session, _secure(url))
    if metadata.get("issuer") != provider.issuer:
        raise SignOnFailed("the provider's configuration names another issuer")
    return metadata


def _endpoint(metadata: Mapping[str, Any], name: str) -> str:
    return _secure(str(metadata.get(name, "")))


def _secure(url: str) -> str:
    """Over TLS; a provider on this machine may do without, outside production."""
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in _LOCAL and not settings.PRODUCTION
    if not (parts.hostname and (parts.scheme == "https" or local)):
        raise SignOnFailed("the provider's configuration names an address without TLS")
    return url


def _json(session: OAuth2Session, url: str) -> dict[str, Any]:
    try:
        response = session.get(url, withhold_token=True, allow_redirects=False)
        document = response.json() if response.status_code == 200 else None
    except (requests.RequestException, ValueError) as error:
        raise SignOnFailed("the provider does not answer") from error
    if not isinstance(document, dict):
        raise SignOnFailed("the provider does not answer as one")
    return document
