"""Staff with the four roles and a page of theirs, a series, and refusals in English."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone, translation

from engagement.models import (
    FanSet,
    FanSetVersion,
    Ingest,
    Rejected,
    Release,
    Source,
    Tag,
    Title,
    TitleChange,
)
from partners import migrations
from partners.models import (
    AccessRequest,
    AuditEvent,
    ClaimedDomain,
    Consent,
    Credential,
    GrantBatch,
    Holding,
    IdentityProvider,
    Invitation,
    Partner,
    RoleChange,
    StaffView,
    User,
)
from reports.models import Bundle, Delivery, Notice, Run, Schedule
from tests.cast import DAY, Cast


@dataclass
class Staff:
    mona: User  # partner manager
    max: User  # partner manager
    dora: User  # data operations
    otto: User  # auditor
    ada: User  # administrator
    abel: User  # administrator
    lin: User  # partner manager of Aurora alone, where there is a cast
    root: User  # superuser


def confirmed(client: Client, url: str, form: dict[str, Any]) -> HttpResponse:
    """Send a form and, where it asks, confirm what it shows that the change opens and closes."""
    response = client.post(url, form)
    seen = response.context and response.context.get("seen")
    return client.post(url, {**form, "_seen": seen}) if seen else response  # type: ignore[return-value]


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

    limited = person("lin", "Partner managers")
    limited.limit_partners = list(
        Partner.objects.filter(slug="aurora").values_list("pk", flat=True)
    )
    limited.save()
    return Staff(
        mona=person("mona", "Partner managers"),
        max=person("max", "Partner managers"),
        dora=person("dora", "Data operations"),
        otto=person("otto", "Auditors"),
        ada=person("ada", "Administrators"),
        abel=person("abel", "Administrators"),
        lin=limited,
        root=User.objects.create_superuser("root@platform.example.com", name="Root"),
    )


@pytest.fixture
def in_english() -> Iterator[None]:
    """Refusals are in the language of the person who tried it."""
    with translation.override("en"):
        yield


@pytest.fixture
def series(cast: Cast) -> dict[str, Title]:
    """A series of two episodes and a trailer; Aurora holds the series and episode one."""
    series = Title.objects.create(key="s", slug="s", kind="series", name_zh="剧")
    parts = {
        slug: Title.objects.create(key=slug, slug=slug, kind=kind, name_zh=slug, parent=series)
        for slug, kind in (("s-1", "episode"), ("s-2", "episode"), ("s-t", "trailer"))
    }
    for title in (series, parts["s-1"]):
        Holding.objects.create(partner=cast.aurora, title=title, territories=["*"])
    Holding.objects.create(partner=cast.borealis, title=parts["s-2"], territories=["*"])
    return {"s": series, **parts}


@pytest.fixture
def filled(cast: Cast, staff: Staff) -> dict[str, Any]:
    """One row of everything the admin shows."""
    ingest = Ingest.objects.create(summary={"files": 1, "rejected": {"future": 3}})
    source = Source.objects.create(
        name="drop/<b>segments</b>.csv",
        sha256="0" * 64,
        kind="segments",
        format="native",
        state="quarantined",
        ingest=ingest,
        rows_read=12_345,
        problem="line 3: <script>alert(1)</script>\nline 9: no such column",
    )
    Rejected.objects.create(
        source=source, reason="future", rows=1_234, examples=[{"line": 7, "why": "<i>2099</i>"}]
    )
    release = Release.objects.create(
        kind="segments", title=cast.hidden, day=DAY, state="started", rejected={"future": 3}
    )
    release.sources.add(source)
    schedule = Schedule.objects.create(partner=cast.aurora, name="Weekly", owner=cast.alice)
    run = Run.objects.create(
        schedule=schedule, partner=cast.aurora, period="week", from_day=DAY,
        until=DAY.replace(day=8),
        due_at=cast.grants["film"].valid_from,
    )  # fmt: skip
    bundle = Bundle.objects.create(
        run=run, partner=cast.aurora, recipient=cast.alice, from_day=DAY, until=DAY.replace(day=8),
        language="en", state="failed", problem="worker lost", titles=[cast.film.pk],
    )  # fmt: skip
    tag = Tag.objects.create(kind="cast", name="张三")
    fans = FanSet.objects.create(slug="zhang-san", name_zh="张三粉丝", name_en="Fans of Zhang San")
    FanSetVersion.objects.create(
        fan_set=fans, version=1, from_day=DAY, rule="tagged", tag=tag, defined_by="d@example.com"
    )
    return {
        "engagement.tag": tag,
        "engagement.fanset": fans,
        "partners.consent": Consent.objects.create(
            partner=cast.borealis, given_to=cast.aurora, title=cast.foreign, from_day=DAY,
            contract_reference="C-9", recorded_by=staff.mona,
        ),
        "engagement.ingest": ingest,
        "engagement.source": source,
        "engagement.release": release,
        "engagement.title": cast.film,
        "engagement.titlechange": TitleChange.objects.create(
            title=cast.film, kind="trailer", source=source
        ),
        "partners.partner": cast.aurora,
        "partners.membership": cast.amy,
        "partners.invitation": Invitation.objects.create(
            email="new@example.com", partner=cast.aurora, role="viewer", token_sha256="0" * 64,
            made_by=staff.mona, expires_at=cast.grants["film"].valid_from,
        ),
        "partners.holding": cast.aurora.holdings.first(),
        "partners.grant": cast.grants["film"],
        "partners.entitlement": cast.grants["film"].entitlements.get(),
        "partners.auditevent": AuditEvent.objects.first(),
        "partners.rolechange": RoleChange.objects.create(user=staff.dora, made_by=staff.ada),
        "partners.user": cast.alice.user,
        "auth.group": staff.mona.groups.get(),
        "partners.accessrequest": AccessRequest.objects.create(
            partner=cast.aurora, title=cast.hidden, families=["danmu"],
            reason="<script>alert(1)</script>", asked_by=cast.alice.user,
        ),
        "partners.grantbatch": GrantBatch.objects.create(name="autumn.csv", made_by=staff.mona),
        "partners.staffview": StaffView.objects.create(
            partner=cast.aurora, staff=staff.mona, reason="<script>alert(1)</script>"
        ),
        "partners.identityprovider": IdentityProvider.objects.create(
            partner=cast.aurora, issuer="https://accounts.example", client_id="dailies"
        ),
        "partners.claimeddomain": ClaimedDomain.objects.create(
            partner=cast.aurora, domain="aurora.example", claimed_by=staff.mona
        ),
        "partners.credential": Credential.objects.create(
            partner=cast.aurora, maker=cast.alice, made_by=cast.alice.user, name="BI",
            prefix="dly_abcd", token_sha256="2" * 64, exits=["api"],
            expires_at=timezone.now() + timedelta(days=90),
        ),
        "reports.notice": Notice.objects.create(
            partner=cast.aurora, user=cast.alice.user, grant=cast.grants["film"], key="ends",
            message_id="<2@x>",
        ),
        "reports.schedule": schedule,
        "reports.bundle": bundle,
        "reports.delivery": Delivery.objects.create(
            bundle=bundle, partner=cast.aurora, recipient=cast.alice, address="alice@example.com",
            message_id="<1@x>",
        ),
    }  # fmt: skip


def _groups_again() -> None:
    """Every migration of ours that gives groups something says it in a `_groups`."""
    with connection.cursor() as cursor:
        for path in sorted(Path(migrations.__file__).parent.glob("0*.py")):
            migration = import_module(f"{migrations.__name__}.{path.stem}")
            if hasattr(migration, "_groups"):
                cursor.execute(migration._groups())
