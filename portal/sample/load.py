"""Puts the sample platform in: titles, people and holdings, logs by `ingest`, then grants.

Holdings are there before the logs: they say which territories a title is counted by. Each step
is one transaction or one `ingest`, so a load that was stopped half-way is simply run again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from engagement.models import FanSet, FanSetVersion, Tag, Title
from engagement.settling import settled_until
from partners.access_requests import ask, askable
from partners.audit import record
from partners.grants import approve
from partners.models import Grant, Holding, Membership, Partner, User
from portal.sample.accounts import create_people, create_tokens
from portal.sample.catalogue import TITLES
from portal.sample.generator import DAYS, generate, generated_until
from portal.sample.platform import (
    FAN_SETS,
    GRANTS,
    HOLDINGS,
    PARTNERS,
    REQUESTS,
    SCHEDULES,
    STAFF,
    SampleFanSet,
    SampleGrant,
    SampleRequest,
    SampleSchedule,
)
from reports.models import Bundle, Run, Schedule


class SampleError(Exception):
    """The sample cannot go in here, in words for whoever asked for it."""


def load(folder: Path, *, segments: int = 300_000, say: Callable[[str], None] = print) -> None:
    """Generate the sample's files into `folder`, ingest them, and set up who may see them.

    Does nothing where the sample is in already. Raises SampleError in production, and where
    the ingest did not bring in every title.
    """
    if settings.PRODUCTION:
        raise SampleError(
            "this is a production set-up: the sample makes accounts that share a password"
        )
    if is_loaded():
        say("the sample platform is in already")
        return
    until = generated_until(folder)
    if until is None:
        until = settled_until()
        say(f"writing the sample's landing files, {DAYS} days before {until}")
        generate(folder, until=until, segments=segments)
    call_command("ingest", *map(str, sorted(folder.rglob("titles.*"))), sample=True, verbosity=0)
    set_up_holders(until)
    call_command("ingest", str(folder))
    set_up(until)
    say(f"{len(PARTNERS)} partners, {len(TITLES)} titles, {len(GRANTS)} grants are in")


@transaction.atomic
def set_up_holders(until: date) -> None:
    """People, holdings and fan sets for the titles ingested, once.

    Raises SampleError for a missing title.
    """
    titles = _titles()
    if Partner.objects.filter(slug__in=[p.slug for p in PARTNERS]).exists():
        return
    create_people()
    for holding in HOLDINGS:
        Holding.objects.create(
            partner=Partner.objects.get(slug=holding.partner),
            title=titles[holding.title],
            territories=list(holding.territories),
        )
    for fan_set in FAN_SETS:
        _fan_set(fan_set, titles, until)


@transaction.atomic
def set_up(until: date) -> None:
    """Holders, approved grants, schedules and first bundles for the titles ingested.

    Raises SampleError where a title is missing.
    """
    set_up_holders(until)
    titles = _titles()
    for grant in GRANTS:
        _grant(grant, titles, until)
    for schedule in SCHEDULES:
        _schedule(schedule, titles, until)
    create_tokens()
    for asked in REQUESTS:
        _request(asked, titles)


def is_loaded() -> bool:
    """Whether the sample's grants are in, which come last."""
    return Grant.objects.filter(contract_reference__in=[g.contract for g in GRANTS]).exists()


def _titles() -> dict[str, Title]:
    found = {t.key: t for t in Title.objects.filter(key__in=[t.key for t in TITLES])}
    missing = [t.key for t in TITLES if t.key not in found]
    if missing:
        raise SampleError(f"the ingest left out {', '.join(missing)}")
    return found


def _day(until: date, days_before: int | None) -> date | None:
    return None if days_before is None else until - timedelta(days=days_before)


def _midnight(day: date | None) -> datetime | None:
    if day is None:
        return None
    return datetime.combine(day, time(), tzinfo=ZoneInfo(settings.TIME_ZONE))


def _fan_set(spec: SampleFanSet, titles: dict[str, Title], until: date) -> None:
    """A fan set and its first rule, which counts the whole sample, as staff define them."""
    by = User.objects.get(email=STAFF[0].email)
    fans = FanSet.objects.create(slug=spec.slug, name_zh=spec.name_zh, name_en=spec.name_en)
    tag = Tag.objects.get(kind=spec.tag[0], name=spec.tag[1]) if spec.tag else None
    version = FanSetVersion.objects.create(
        fan_set=fans,
        version=1,
        from_day=until - timedelta(days=DAYS),
        rule=FanSetVersion.Rule.TAGGED if tag else FanSetVersion.Rule.FINISHED,
        tag=tag,
        defined_by=by.email,
    )
    version.titles.set([titles[key] for key in spec.titles])
    record("fan_set.version_added", actor=by, target=fans, version=1, rule=version.rule,
           from_day=version.from_day.isoformat(), titles=sorted(spec.titles),
           tag=str(tag or ""))  # fmt: skip


def _grant(spec: SampleGrant, titles: dict[str, Title], until: date) -> None:
    """Propose as the maker, approve as the approver."""
    maker = User.objects.get(email=spec.maker)
    valid_from = _midnight(_day(until, spec.valid.since))
    if valid_from is None:
        raise SampleError(f"{spec.contract} does not say from when it is valid")
    grant = Grant.objects.create(
        partner=Partner.objects.get(slug=spec.partner),
        families=list(spec.families),
        data_from=_day(until, spec.window.since),
        data_until=_day(until, spec.window.until),
        territories=list(spec.territories),
        exits=list(spec.exits),
        valid_from=valid_from,
        valid_until=_midnight(_day(until, spec.valid.until)),
        contract_reference=spec.contract,
        made_by=maker,
    )
    grant.titles.set([titles[key] for key in spec.titles])
    record("grant.proposed", actor=maker, partner=grant.partner, target=grant.pk,
           contract=spec.contract)  # fmt: skip
    approve(grant, by=User.objects.get(email=spec.approver))


def _member(partner: str, email: str) -> Membership:
    return Membership.objects.get(partner__slug=partner, user__email=email)


def _request(spec: SampleRequest, titles: dict[str, Title]) -> None:
    """As the owner asks on the partner's page, for what of it has been measured."""
    member, title = _member(spec.partner, spec.by), titles[spec.title]
    [entry] = [e for e in askable(member) if e.title == title]
    if wanted := [f for f in spec.families if f in entry.missing]:
        ask(member, title.slug, wanted, spec.reason)


def _schedule(spec: SampleSchedule, titles: dict[str, Title], until: date) -> None:
    """A weekly report whose last settled week is being made, and what its maker asked for."""
    maker = _member(spec.partner, spec.by)
    title_ids = sorted(titles[key].pk for key in spec.titles)
    schedule = Schedule.objects.create(
        partner=maker.partner,
        name=spec.name,
        owner=maker,
        titles=title_ids,
        weekday=spec.weekday,
        hour=spec.hour,
        zone=spec.zone,
        language=spec.language,
    )
    recipients = [_member(spec.partner, email) for email in spec.recipients]
    schedule.recipients.set(recipients)
    monday = until - timedelta(days=until.weekday())
    run = Run.objects.create(
        schedule=schedule,
        partner=maker.partner,
        period=f"week:{monday - timedelta(days=7)}",
        from_day=monday - timedelta(days=7),
        until=monday,
        due_at=timezone.now(),
    )
    wanted: list[tuple[Membership, date, date, Run | None]] = [
        (recipient, run.from_day, run.until, run) for recipient in recipients
    ]
    if spec.asked_days:
        wanted.append((maker, until - timedelta(days=spec.asked_days), until, None))
    for recipient, from_day, to_day, of_run in wanted:
        # The row is the order: nobody rings, the worker's sweep finds it.
        Bundle.objects.create(
            partner=recipient.partner,
            recipient=recipient,
            run=of_run,
            titles=title_ids,
            from_day=from_day,
            until=to_day,
            language=spec.language,
        )
