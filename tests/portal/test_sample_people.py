"""The sample platform's people and grants: who may open what, and what demo.json says of it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from engagement.models import FanSetVersion, Tag, Title
from engagement.roles import WEB, acting_as
from engagement.settling import settled_until
from partners.access import membership_for, scope_for
from partners.models import AuditEvent, Grant, User
from partners.second_factors import accept_code
from portal.management.commands.demo import totp_now
from portal.sample.catalogue import TITLES
from portal.sample.load import is_loaded, set_up
from portal.sample.summary import demo_summary
from reports.models import Bundle


@pytest.fixture
def sample(db: None, settings: Settings, tmp_path: Path) -> date:
    """The sample without its numbers: the titles as `ingest` makes them, and set_up."""
    settings.VAR = tmp_path
    made: dict[str, Title] = {}
    for title in sorted(TITLES, key=lambda t: bool(t.parent)):
        made[title.key] = Title.objects.create(
            key=title.key,
            slug=title.key.lower(),
            kind=title.kind,
            name_zh=title.name_zh,
            name_en=title.name_en,
            runtime_s=title.runtime_s,
            parent=made.get(title.parent),
        )
        for kind, names in (
            ("genre", title.genres), ("cast", title.cast), ("source_work", title.source_work),
        ):  # fmt: skip
            for name in names:
                made[title.key].tags.add(Tag.objects.get_or_create(kind=kind, name=name)[0])
    until = settled_until()
    set_up(until)
    return until


def opened(partner: str, exit: str, role: str = "owner") -> dict[str, set[str]]:
    """Title key -> territories that this member of the partner may see through `exit`."""
    user = User.objects.get(email=f"{role}@{partner}.example.com")
    member = membership_for(user, partner)
    assert member is not None
    found: dict[str, set[str]] = {}
    keys = dict(Title.objects.values_list("pk", "key"))
    for entitled in scope_for(member, exit).entitled:
        found.setdefault(keys[entitled.title_id], set()).update(entitled.territories)
    return found


def test_every_grant_was_approved_by_somebody_else(sample: date) -> None:
    grants = list(Grant.objects.select_related("made_by", "approved_by"))
    assert {g.state for g in grants} == {Grant.State.APPROVED}
    assert {(g.made_by.email, g.approved_by and g.approved_by.email) for g in grants} == {
        ("maker@dailies.example.com", "approver@dailies.example.com")
    }


def test_the_co_production_opens_to_each_partner_in_its_own_territories(sample: date) -> None:
    assert opened("calico-cat", "web")["SP-F12"] == {"CN"}
    assert opened("ninth-pier", "web")["SP-F12"] == {"SG", "MY", "TW", "HK"}
    assert "SP-F12" not in opened("blue-whale", "web")


def test_a_granted_series_opens_its_episodes(sample: date) -> None:
    episodes = {t.key for t in TITLES if t.parent == "SP-S01"}
    assert {"SP-S01", *episodes} <= opened("slow-train", "export").keys()


def test_one_partner_has_pages_only_and_one_grant_has_lapsed(sample: date) -> None:
    assert opened("paper-mountain", "web").keys() == {"SP-F04", "SP-F10"}
    for exit in ("export", "email", "api"):
        assert opened("paper-mountain", exit) == {}
    assert "SP-F06" not in opened("eighth-day", "web")


def test_fan_sets_are_by_titles_genre_actor_and_novel_and_count_the_whole_sample(
    sample: date,
) -> None:
    found = {v.fan_set.slug: v for v in FanSetVersion.objects.select_related("fan_set", "tag")}
    assert {
        slug: (v.rule, sorted(t.key for t in v.titles.all()), v.tag and (v.tag.kind, v.tag.name))
        for slug, v in found.items()
    } == {
        "calico-finishers": ("finished", ["SP-F02", "SP-F08", "SP-F12"], None),
        "mystery-viewers": ("tagged", [], ("genre", "悬疑")),
        "tao-xiaodeng": ("tagged", [], ("cast", "陶小灯")),
        "tide-readers": ("tagged", [], ("source_work", "《潮水》（小说）")),
    }
    assert {(v.version, v.from_day, v.until) for v in found.values()} == {
        (1, sample - timedelta(days=60), None)
    }
    told = AuditEvent.objects.filter(action="fan_set.version_added")
    assert {e.actor.email for e in told if e.actor} == {"maker@dailies.example.com"}
    assert told.count() == 4


def test_recipients_of_schedules_have_a_first_bundle_coming(sample: date) -> None:
    weekly = Bundle.objects.filter(run__isnull=False).order_by("recipient__user__email")
    assert [b.recipient.user.email for b in weekly] == [
        "analyst@slow-train.example.com",
        "owner@calico-cat.example.com",
        "owner@ninth-pier.example.com",
        "owner@slow-train.example.com",
        "viewer@calico-cat.example.com",
    ]
    for bundle in weekly:
        assert bundle.state == Bundle.State.QUEUED
        assert bundle.from_day.weekday() == 0
        assert (bundle.until - bundle.from_day).days == 7
        assert sample - timedelta(days=7) < bundle.until <= sample
    asked = Bundle.objects.get(run__isnull=True)
    assert asked.recipient.role == "owner"
    assert (asked.from_day, asked.until) == (sample - timedelta(days=28), sample)


def test_the_summary_is_read_by_the_webs_login_and_its_passwords_fit(sample: date) -> None:
    with acting_as(WEB):
        summary = demo_summary()
    assert summary.keys() == {"accounts", "titles", "bundles", "mailbox", "api_token"}
    accounts = {a["email"]: a for a in summary["accounts"]}
    assert len(accounts) == 20
    for email in ("maker@dailies.example.com", "viewer@blue-whale.example.com"):
        password = accounts[email]["password"]
        assert len(password) >= 15
        assert User.objects.get(email=email).check_password(password)
    secret = accounts["maker@dailies.example.com"]["totp_secret"]
    maker = User.objects.get(email="maker@dailies.example.com")
    assert accept_code(maker, totp_now(secret)) is not None  # the code that `make demo` prints
    assert accounts["viewer@blue-whale.example.com"]["totp_secret"] is None
    partners = {t["name"]: t["partners"] for t in summary["titles"]}
    assert len(partners) == len(TITLES)
    assert partners["潮水记得他的名字"] == ["calico-cat", "ninth-pier"]
    assert partners["星期八的失踪案"] == []


def test_a_second_load_does_nothing(sample: date, tmp_path: Path) -> None:
    assert is_loaded()
    call_command("load_sample", folder=tmp_path / "sample")
    assert not (tmp_path / "sample").exists()


def test_production_refuses_the_sample(db: None, settings: Settings, tmp_path: Path) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="production"):
        call_command("load_sample", folder=tmp_path / "sample")
    assert not (tmp_path / "sample").exists()
