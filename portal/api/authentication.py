"""What the middleware found out (portal/api/bearer.py), in the framework's words."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication
from rest_framework.request import Request

from partners.models import Credential, User


class TokenAuthentication(authentication.BaseAuthentication):
    """A program, by a token that has been looked up. No cookie is involved, hence no CSRF."""

    def authenticate(self, request: Request) -> tuple[User, Credential] | None:
        credential = getattr(request._request, "credential", None)
        if credential is None:
            return None
        return credential.maker.user, credential

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document names it."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A credential of one partner, made by an owner on its page.",
        }


class SessionAuthentication(authentication.SessionAuthentication):
    """Django's session, answering 401 (not 403) where there is none."""

    def authenticate_header(self, request: Request) -> str:
        return "Session"


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document names it."""

    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
