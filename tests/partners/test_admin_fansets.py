"""Fan sets and consents in the admin: rules by date, never changed, and who recorded them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import override

from engagement.models import FanSet, FanSetVersion, Tag, Title
from partners import consents
from partners.admin.fansets import whose_titles
from partners.models import AuditEvent, Consent, Holding, Partner
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff

FIRST, SECOND = date(2026, 1, 5), date(2026, 2, 2)


def version(**fields: Any) -> dict[str, Any]:
    row = {"from_day": FIRST.isoformat(), "rule": "finished", "titles": [], "tag": "", **fields}
    return {f"versions-0-{name}": value for name, value in row.items()}


def form(**fields: Any) -> dict[str, Any]:
    return {
        "slug": "admirers",
        "name_zh": "书迷",
        "name_en": "Readers",
        "versions-TOTAL_FORMS": "1",
        "versions-INITIAL_FORMS": "0",
        **fields,
    }


@pytest.fixture
def made(cast: Cast, staff: Staff) -> FanSet:
    """Dora has defined one by the form: who finished Aurora's film."""
    response = SignedIn(staff.dora).post(
        reverse("admin:engagement_fanset_add"), form(**version(titles=[cast.film.pk]))
    )
    assert response.status_code == 302, response.context["errors"]
    return FanSet.objects.get(slug="admirers")


def test_a_rule_is_kept_with_its_day_and_its_maker(cast: Cast, staff: Staff, made: FanSet) -> None:
    rule = made.versions.get()
    assert (rule.version, rule.from_day, rule.until, rule.rule) == (1, FIRST, None, "finished")
    assert list(rule.titles.all()) == [cast.film]
    assert rule.defined_by == "dora@platform.example.com"
    added = AuditEvent.objects.get(action="fan_set.version_added")
    assert (added.actor, added.detail["titles"]) == (staff.dora, ["film"])


def test_a_new_version_ends_the_one_before(cast: Cast, staff: Staff, made: FanSet) -> None:
    tag = Tag.objects.create(kind="source_work", name="三体")
    page = reverse("admin:engagement_fanset_change", args=[made.pk])
    answer = SignedIn(staff.dora).post(
        page, form(**version(from_day=SECOND.isoformat(), rule="tagged", tag=tag.pk))
    )
    assert answer.status_code == 302, answer.context["errors"]
    assert list(
        made.versions.order_by("version").values_list("version", "from_day", "until", "rule")
    ) == [(1, FIRST, SECOND, "finished"), (2, SECOND, None, "tagged")]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Name the titles whose finishers are the fans."),
        ({"rule": "tagged"}, "Name the actor, source work or genre."),
        ({"from_day": FIRST.isoformat(), "titles": ["film"]}, "begins after the one before"),
        ({"titles": ["film"], "tag": "tag"}, "A tag belongs to the other rule."),
        ({"rule": "tagged", "titles": ["film"], "tag": "tag"}, "Titles belong to the other rule"),
    ],
)
def test_half_a_rule_is_refused_in_words(
    cast: Cast, staff: Staff, made: FanSet, fields: dict[str, Any], said: str
) -> None:
    tag = Tag.objects.create(kind="genre", name="喜剧")
    filled = {"from_day": SECOND.isoformat(), **fields}
    filled["titles"] = [cast.film.pk for _ in filled.get("titles", [])]
    filled["tag"] = tag.pk if filled.get("tag") else ""
    answer = SignedIn(staff.dora).post(
        reverse("admin:engagement_fanset_change", args=[made.pk]),
        form(**version(**filled)),
        headers={"accept-language": "en"},
    )
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert made.versions.count() == 1


def test_a_rule_is_not_changed_and_a_set_not_deleted(staff: Staff, made: FanSet) -> None:
    rule = made.versions.get()
    client = SignedIn(staff.dora)
    client.post(
        reverse("admin:engagement_fanset_change", args=[made.pk]),
        {
            **form(**version(id=rule.pk, fan_set=made.pk, from_day=SECOND.isoformat())),
            "versions-INITIAL_FORMS": "1",
        },
    )
    assert made.versions.get().from_day == FIRST
    assert (
        client.post(
            reverse("admin:engagement_fanset_delete", args=[made.pk]), {"post": "yes"}
        ).status_code
        == 403
    )


def test_partner_managers_define_no_fan_sets(staff: Staff, made: FanSet) -> None:
    client = SignedIn(staff.mona)
    assert client.get(reverse("admin:engagement_fanset_change", args=[made.pk])).status_code == 200
    assert client.post(reverse("admin:engagement_fanset_add"), form()).status_code == 403
    assert FanSetVersion.objects.filter(fan_set=made).count() == 1


def consent(cast: Cast, **fields: Any) -> dict[str, Any]:
    return {
        "partner": cast.borealis.pk,
        "given_to": cast.aurora.pk,
        "title": cast.foreign.pk,
        "contract_reference": "C-9",
        "from_day": FIRST.isoformat(),
        "until": "",
        **fields,
    }


def test_a_consent_is_recorded_with_who_and_only_its_end_changes(cast: Cast, staff: Staff) -> None:
    client = SignedIn(staff.mona)
    assert client.post(reverse("admin:partners_consent_add"), consent(cast)).status_code == 302
    given = Consent.objects.get()
    assert (given.recorded_by, given.given_to) == (staff.mona, cast.aurora)
    page = reverse("admin:partners_consent_change", args=[given.pk])
    client.post(page, consent(cast, until=SECOND.isoformat(), given_to=cast.cirrus.pk))
    given.refresh_from_db()
    assert (given.until, given.given_to) == (SECOND, cast.aurora)
    assert set(
        AuditEvent.objects.filter(action__startswith="consent.").values_list("action", flat=True)
    ) == {"consent.added", "consent.changed"}


def test_case_78_a_consent_takes_two_people_and_ends_by_one(cast: Cast, staff: Staff) -> None:
    mona = SignedIn(staff.mona, "en")
    mona.post(reverse("admin:partners_consent_add"), consent(cast, until=SECOND.isoformat()))
    given = Consent.objects.get()
    page = reverse("admin:partners_consent_approve", args=[given.pk])
    assert "Another person approves it." in text(mona.get(page))
    for nobody in (staff.mona, staff.dora, staff.otto):
        SignedIn(nobody).post(page)
        given.refresh_from_db()
        assert given.approved_by is None, nobody
    assert "Approve" in text(SignedIn(staff.max, "en").get(page))
    SignedIn(staff.max).post(page)
    given.refresh_from_db()
    assert given.approved_by == staff.max
    assert AuditEvent.objects.filter(action="consent.approved", actor=staff.max).count() == 1
    SignedIn(staff.ada).post(page)
    later = consent(cast, until="")
    answer = mona.post(reverse("admin:partners_consent_change", args=[given.pk]), later)
    assert "A later end is a new consent" in text(answer)
    with pytest.raises(IntegrityError), transaction.atomic():
        Consent.objects.filter(pk=given.pk).update(until=None)
    given.refresh_from_db()
    assert (given.approved_by, given.until) == (staff.max, SECOND)
    assert AuditEvent.objects.filter(action="consent.approved").count() == 1


def test_a_consent_is_withdrawn_and_never_deleted(cast: Cast, staff: Staff) -> None:
    client = SignedIn(staff.root)
    client.post(reverse("admin:partners_consent_add"), consent(cast))
    page = reverse("admin:partners_consent_delete", args=[Consent.objects.get().pk])
    assert client.post(page, {"post": "yes"}).status_code == 403
    assert Consent.objects.count() == 1


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("own", "A partner needs no consent for its own titles: name another."),
        ("not held", "Borealis does not hold The Long Night; only a holder can consent."),
    ],
)
def test_a_consent_that_means_nothing_is_refused_in_words(
    cast: Cast, staff: Staff, what: str, said: str
) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "own": {"given_to": cast.borealis.pk},
        "not held": {"title": cast.film.pk},
    }
    answer = SignedIn(staff.mona, "en").post(
        reverse("admin:partners_consent_add"), consent(cast, **wrong[what])
    )
    assert answer.status_code == 200
    assert said in text(answer)
    assert not Consent.objects.exists()


def text(response: Any) -> str:
    """What a page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def rows(response: Any) -> list[list[str]]:
    """The cells of a list's rows, without the box to tick."""
    table = re.split(r"<tr>", response.content.decode().split('id="result_list"')[1])[2:]
    cells = [re.findall(r"<t[dh] class=\"field-[^>]*>(.*?)</t[dh]>", row, re.S) for row in table]
    return [
        [" ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in row] for row in cells
    ]


@pytest.mark.parametrize(
    ("language", "row"),
    [
        (
            "en",
            [
                "Readers admirers", "Finished any of: The Long Night", "1", "Jan. 5, 2026",
                "Aurora All titles are held by Aurora; others read it by consent alone.",
                "in force",
            ],
        ),
        (
            "zh-hans",
            [
                "书迷 admirers", "看完以下任一作品：长夜", "1", "2026年1月5日",
                "极光影业 全部作品由极光影业持有；其他方须有同意书才可见。", "生效中",
            ],
        ),
    ],
)  # fmt: skip
def test_the_list_says_the_rule_in_words_and_whose_titles_it_counts(
    staff: Staff, made: FanSet, language: str, row: list[str]
) -> None:
    listed = SignedIn(staff.dora, language).get(reverse("admin:engagement_fanset_changelist"))
    assert row in rows(listed)


def test_a_set_is_told_with_the_rule_in_force_and_the_day_of_the_next(
    cast: Cast, staff: Staff, made: FanSet
) -> None:
    later = timezone.localdate() + timedelta(days=30)
    tag = Tag.objects.create(kind="cast", name="Zhang San")
    cast.film.tags.add(tag)
    cast.foreign.tags.add(tag)
    made.versions.update(until=later)
    made.versions.create(version=2, from_day=later, rule="tagged", tag=tag, defined_by="d@x")
    FanSet.objects.create(slug="nobody", name_en="Nobody")
    coming = FanSet.objects.create(slug="soon", name_en="Soon")
    coming.versions.create(version=1, from_day=later, rule="tagged", tag=tag, defined_by="d@x")
    told = rows(SignedIn(staff.dora, "en").get(reverse("admin:engagement_fanset_changelist")))
    assert [(r[0], r[1], r[2], r[5]) for r in told] == [
        (
            "Readers admirers", "Finished any of: The Long Night", "1",
            f"in force; a new rule from {date_format(later)}",
        ),
        ("Nobody nobody", "–", "–", "no rule yet"),
        ("Readers readers", "Finished any of: –", "1", "in force"),
        ("Soon soon", "Watched any title with Zhang San in the cast", "1", "not yet in force"),
    ]  # fmt: skip
    assert told[3][4] == (
        "Aurora, Borealis Too few partners to pool (2 of 5): read only where consents cover the"
        " titles of others."
    )


def test_who_reads_a_set_follows_from_who_holds_its_titles_today(cast: Cast, made: FanSet) -> None:
    rule = made.versions.get()
    rule.titles.set([cast.film, cast.foreign])
    with override("en"):
        assert str(whose_titles(rule)).startswith("Aurora, Borealis<span")
        Holding.objects.filter(title=cast.foreign).update(until=timezone.localdate())
        assert "Too few partners to pool (1 of 5)" in whose_titles(rule)
        for n in range(4):
            partner = Partner.objects.create(slug=f"p-{n}", name_zh=f"P{n}")
            Holding.objects.create(partner=partner, title=cast.foreign, territories=["*"])
        assert "Titles of 5 partners: may be pooled while no partner dominates." in (
            whose_titles(rule)
        )
        assert str(whose_titles(rule, 3)).startswith("Aurora, P0, P1 …, 5 in all<span")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["A rule is never changed.", "Readers, version 1 from Jan. 5, 2026",
                "What is watched from this day on makes fans", "at least five partners"]),
        ("zh-hans", ["规则不能修改。", "书迷，第 1 版（2026年1月5日起）",
                     "从这一天起的观看才计入粉丝", "至少五家合作方"]),
    ],
)  # fmt: skip
def test_the_page_of_a_set_explains_how_its_rule_works(
    staff: Staff, made: FanSet, language: str, words: list[str]
) -> None:
    page = reverse("admin:engagement_fanset_change", args=[made.pk])
    shown = text(SignedIn(staff.dora, language).get(page))
    assert [w for w in words if w not in shown] == []


def test_a_series_is_not_finished_and_its_episodes_are_asked_for(
    cast: Cast, staff: Staff, made: FanSet
) -> None:
    series = Title.objects.create(key="S", slug="s", kind="series", name_en="Harbour")
    answer = SignedIn(staff.dora, "en").post(
        reverse("admin:engagement_fanset_change", args=[made.pk]),
        form(**version(from_day=SECOND.isoformat(), titles=[series.pk, cast.film.pk])),
    )
    said = "Nobody finishes a series as such. Name episodes in place of: Harbour"
    assert said in text(answer)
    assert made.versions.count() == 1


@pytest.mark.parametrize(
    ("begins", "ends", "state"),
    [(0, None, "in force"), (1, None, "not yet in force"), (-9, 0, "ended"),
     (-9, 1, "in force")],
)  # fmt: skip
def test_the_list_of_consents_says_which_are_in_force(
    cast: Cast, staff: Staff, begins: int, ends: int | None, state: str
) -> None:
    today = timezone.localdate()
    given = Consent.objects.create(
        partner=cast.borealis, given_to=cast.aurora, title=cast.foreign, contract_reference="C-9",
        from_day=today + timedelta(days=begins), recorded_by=staff.mona,
        until=None if ends is None else today + timedelta(days=ends),
    )  # fmt: skip
    shown = reverse("admin:partners_consent_changelist")
    assert [r[5] for r in rows(SignedIn(staff.mona, "en").get(shown))] == [
        "waiting for a second person"
    ]
    consents.approve(given, by=staff.max)
    told = rows(SignedIn(staff.mona, "en").get(reverse("admin:partners_consent_changelist")))
    assert [r[5] for r in told] == [state]
    with override("en"):
        assert str(given) == f"{cast.foreign}: Borealis to Aurora"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["To withdraw the consent, enter that day", "Published weeks stay as they are"]),
        ("zh-hans", ["撤回时请填写这一天", "已发布的周保持不变"]),
    ],
)
def test_a_consent_says_what_it_does_and_what_happens_when_it_is_withdrawn(
    staff: Staff, language: str, words: list[str]
) -> None:
    shown = text(SignedIn(staff.mona, language).get(reverse("admin:partners_consent_add")))
    assert [w for w in words if w not in shown] == []


def test_the_audit_trail_calls_a_set_and_a_consent_the_same_in_every_language(
    cast: Cast, staff: Staff, made: FanSet
) -> None:
    SignedIn(staff.mona, "zh-hans").post(reverse("admin:partners_consent_add"), consent(cast))
    assert AuditEvent.objects.get(action="consent.added").target == "borealis > aurora: foreign"
    assert AuditEvent.objects.get(action="fan_set.version_added").target == "admirers"
