"""Two OpenID Connect providers: a real one in a process of its own, and a small one that lies."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

CLIENT_ID = "dailies"
CLIENT_SECRET = "a-secret-shared-with-the-provider"


class RealProvider:
    """oidc-provider-mock: whoever is asked for signs in by one POST."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def has(self, subject: str, **claims: Any) -> None:
        requests.put(f"{self.issuer}/users/{subject}", json=claims, timeout=10).raise_for_status()

    def sign_in(self, url: str, subject: str) -> str:
        """As the person at the provider's page: where the browser is sent back to."""
        answer = requests.post(url, data={"sub": subject}, allow_redirects=False, timeout=10)
        return answer.headers["Location"]


@contextmanager
def real_provider() -> Iterator[RealProvider]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "-p", str(port)]
    process = subprocess.Popen(
        [*command, "--require-nonce", "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        issuer = f"http://localhost:{port}"
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                requests.get(f"{issuer}/.well-known/openid-configuration", timeout=2)
                break
            except requests.ConnectionError:
                assert process.poll() is None, "the provider did not start"
                time.sleep(0.1)
        yield RealProvider(issuer)
    finally:
        process.terminate()
        process.wait(timeout=10)


class LyingProvider:
    """Answers rightly by itself; a test puts its one lie into `claims`, `signed` or `metadata`."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "alg": "RS256", "use": "sig"})
        self.claims: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.signed: Callable[[dict[str, Any]], str] = self.sign
        self.asked: dict[str, str] = {}
        self.spent: set[str] = set()

    def sign(self, claims: dict[str, Any], key: RSAKey | None = None) -> str:
        return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, key or self.key)

    def unsigned(self, claims: dict[str, Any]) -> str:
        _, body, _ = self.sign(claims).split(".")
        return ".".join((_part({"alg": "none", "kid": "k1"}), body, ""))

    def signed_by_the_shared_secret(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET))

    def signed_by_the_public_key(self, claims: dict[str, Any]) -> str:
        """The old confusion: the public key's text taken as a shared secret."""
        return jwt.encode(
            {"alg": "HS256", "kid": "k1"}, claims, OctKey.import_key(self.key.as_pem(private=False))
        )

    def sign_in(self, url: str, **answer: str) -> str:
        self.asked = {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
        given = {"code": "one-code", "state": self.asked["state"], **answer}
        return f"{self.asked['redirect_uri']}?{urlencode(given)}"

    def document(self, path: str) -> dict[str, Any]:
        if path == "/jwks":
            return KeySet([self.key]).as_dict(private=False)
        now = int(time.time())
        if path == "/token":
            claims = {
                "iss": self.issuer,
                "aud": CLIENT_ID,
                "sub": "s-1",
                "iat": now,
                "exp": now + 300,
                "nonce": self.asked["nonce"],
                "email": "alice@aurora.example",
                "email_verified": True,
                **self.claims,
            }
            token = self.signed({k: v for k, v in claims.items() if v is not None})
            return {"access_token": "a", "token_type": "Bearer", "id_token": token}
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            **self.metadata,
        }


@contextmanager
def lying_provider() -> Iterator[LyingProvider]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.dumps(provider.document(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = LyingProvider(f"http://localhost:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
