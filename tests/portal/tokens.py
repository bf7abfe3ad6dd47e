"""Making tokens and asking by them."""

from __future__ import annotations

from datetime import timedelta

from django.test import Client

from engagement.scope import Window
from partners import credentials
from partners.models import Credential, Membership
from tests.cast import DAY, DAYS

API = "/api/v1/p/aurora/"
WHOLE = Window(DAY, DAY + timedelta(days=DAYS))
CSV = {"accept": "text/csv"}


def made(
    member: Membership,
    *,
    exits: tuple[str, ...] = ("api", "export"),
    families: list[str] | None = None,
    networks: tuple[str, ...] = (),
) -> tuple[Credential, str]:
    return credentials.make(
        membership=member, name="Nightly", exits=exits, families=families, networks=networks
    )


def by(token: str) -> Client:
    return Client(headers={"authorization": f"Bearer {token}"})
