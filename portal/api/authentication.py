"""Who calls the API. By session now; by credential in a later version."""

from __future__ import annotations

from rest_framework import authentication
from rest_framework.request import Request


class SessionAuthentication(authentication.SessionAuthentication):
    """Django's session, answering 401 (not 403) where there is none."""

    def authenticate_header(self, request: Request) -> str:
        return "Session"
