"""Staff with the two ready-made groups, and a page of theirs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.contrib.auth.models import Group

from partners.models import User


@dataclass
class Staff:
    mona: User  # partner manager
    max: User  # partner manager
    dora: User  # data operations
    root: User  # superuser


@pytest.fixture
def staff(db: None) -> Staff:
    """Groups are made by a migration; a test that commits may have emptied the tables since."""
    if not Group.objects.filter(name="Partner managers").exists():
        _groups_again()

    def person(name: str, group: str) -> User:
        user = User.objects.create_user(
            f"{name}@platform.example.com", name=name.capitalize(), is_staff=True
        )
        user.groups.add(Group.objects.get(name=group))
        return user

    return Staff(
        mona=person("mona", "Partner managers"),
        max=person("max", "Partner managers"),
        dora=person("dora", "Data operations"),
        root=User.objects.create_superuser("root@platform.example.com", name="Root"),
    )


def _groups_again() -> None:
    from importlib import import_module

    from django.db import connection

    with connection.cursor() as cursor:
        for migration in ("0003_staff", "0007_fan_sets"):
            cursor.execute(import_module(f"partners.migrations.{migration}")._groups())
