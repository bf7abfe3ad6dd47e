"""The world of the oracle with the crowd in it, once a module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from partners.models import Grant, Membership, Partner, User
from tests.mutants.crowd import DEAD, Near, crowd, let_tamper, odd_places, wishes
from tests.oracle_world import DAYS, World, asked, build_world
from tests.partners.conftest import staff as staff
from tests.test_oracle import expected_of


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with django_db_blocker.unblock(), transaction.atomic():
        made = build_world()
        made.near = [*crowd(), *odd_places()]
        every: list[tuple[Near, list[Grant]]] = []
        for near in made.near:
            slug = near.member.partner
            made.partners[slug] = Partner.objects.create(slug=slug, name_en=slug, name_zh=slug)
            made.members[slug] = Membership.objects.create(
                user=User.objects.create_user(f"{slug}@example.com"),
                partner=made.partners[slug],
                role="owner",
            )
            for n in range(2):  # colleagues without a limit
                Membership.objects.create(
                    user=User.objects.create_user(f"{slug}-{n}@example.com"),
                    partner=made.partners[slug],
                    role="owner",
                )
            every.append((near, [made.grant(g) for g in near.grants]))
            near.membership = (near.make or (lambda w, n: w.member(n.member)))(made, near)
        let_tamper()
        for near, grants in every:
            if near.tamper:
                near.tamper(made, made.partners[near.member.partner], grants)
            name = near.name.partition(": ")[2]
            if name in DEAD:
                near.grants[-1] = replace(near.grants[-1], state="revoked")
            if name == "suspended":
                near.member = replace(near.member, shut="suspended")
            for resource, territory, clip in wishes(near):
                q = asked(near.title, resource, exit=near.exit, since=0, until=DAYS,
                          territory=territory, clip=clip)  # fmt: skip
                near.expected.append((q, expected_of(made, near.grants, near.member, q)))
        yield made
        transaction.set_rollback(True)
