"""Making a bundle: from a claimed row to a stored file and a queued mail.

The file is stored first; the row says `done`, names the file and queues the mail in one
transaction that only the holder of the claim can commit. A worker that dies leaves at most a
file that nothing names, which the purge removes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils.timezone import localdate

from engagement.families import Result
from engagement.models import Title
from engagement.query import Change, measured, run
from engagement.roles import WORKER, acting_as
from engagement.scope import OutsideScope, Refused, Scope, Window
from partners.access import scope_for
from partners.models import Partner
from reports import jobs, storage
from reports.jobs import Claim
from reports.models import Artefact, Bundle, Delivery, Job
from reports.moments import moments_of
from reports.plan import (
    EXIT,
    Chapter,
    Covered,
    content,
    content_before,
    covered,
    restated_before,
    tuples_of,
)
from reports.render import renderer
from reports.render.document import Report, Restated, TitleReport
from reports.renderings import Made, make_files

log = logging.getLogger(__name__)

TRIES_WITHIN = timedelta(hours=6)
TRIES_OF_A_FAULT = 3
"""What fails as itself, not for the database's or the disk's sake, fails again: then it is over."""

Failure = Job.Failure
Answers = dict[int, dict[str, Result]]
"""By title and resource."""


class Failed(Exception):
    """Why a bundle cannot be made: a kind, and words for staff."""

    def __init__(self, failure: Job.Failure, problem: str) -> None:
        super().__init__(problem)
        self.failure = failure
        self.problem = problem


@dataclass(frozen=True)
class _Plan:
    """What one bundle will hold, and under which scope."""

    bundle: Bundle
    scope: Scope
    chapters: list[Chapter]
    earlier: list[Chapter]  # the days before, which it is compared with
    restated: list[Change]
    tuples: list[Covered]


def build_next() -> bool:
    """Make the bundle whose turn it is, and ring for what was passed over meanwhile.

    Returns whether this call finished one.
    """
    claim = jobs.claim_next()
    if claim is None:
        return False
    try:
        return _build(claim)
    finally:
        jobs.ring_for_next()


def build(bundle_id: UUID) -> bool:
    """Make the bundle if it is due and nobody else does. Safe to call any number of times.

    Returns whether this call finished it.
    """
    claim = jobs.claim(Bundle, bundle_id)
    return claim is not None and _build(claim)


def _build(claim: Claim) -> bool:
    with jobs.held(claim):
        try:
            return _make(claim)
        except jobs.LeaseLost:
            log.warning("bundle %s: cancelled, or another attempt owns it", claim.id)
        except Failed as failed:
            _fail(claim, failed)
        except SoftTimeLimitExceeded:
            _fail(claim, Failed(Failure.BROKEN, "it took longer than a bundle may"))
        except (renderer.RenderingFailed, renderer.Stopped) as problem:
            _try_again(claim, str(problem), tries=TRIES_OF_A_FAULT)
        except (Refused, OutsideScope):
            _try_again(claim, "the grants changed while it was being made")
        except (DatabaseError, OSError) as problem:
            _try_again(claim, f"{type(problem).__name__}: {problem}")
        except Exception as problem:
            log.exception("bundle %s", claim.id)
            _try_again(claim, f"{type(problem).__name__}: {problem}", tries=TRIES_OF_A_FAULT)
    return False


def _make(claim: Claim) -> bool:
    plan = _plan(claim)
    renderer.warm()  # while the numbers are asked
    report = _report(plan, *_answers(claim, plan))
    _say(claim, "rendering", 60)
    slugs = {c.title.pk: c.title.slug for c in plan.chapters}
    # children that a series' rows count are not in the file, and are not named in it
    told = [t for t in plan.tuples if t.counted_in is None]
    scope = [{"title": slugs[t.title_id], **t.as_json()} for t in told]
    under = [t.as_json() for t in plan.tuples]
    made = make_files(report, scope, under, plan.bundle.recipient, claim.check)
    _say(claim, "storing", 95)
    stored = storage.put(made.content)
    return _deliver(claim, plan, report, made, stored)


def _plan(claim: Claim) -> _Plan:
    """What the recipient may have now. Raises Failed where that is nothing."""
    with acting_as(WORKER):
        bundle = _load(claim)
        scope = scope_for(bundle.recipient, EXIT, bundle.titles, delivered=True)
        if not scope.entitled:
            raise Failed(Failure.REFUSED, "nothing is granted to the recipient")
        if bundle.titles is not None and not set(bundle.titles) <= scope.titles():
            raise Failed(Failure.REFUSED, "a title is not granted to the recipient any more")
        window = Window(bundle.from_day, bundle.until)
        chapters = content(scope, window)
        earlier = content_before(scope, chapters, window)
        restated = restated_before(scope, chapters, window)
    if not chapters:
        raise Failed(Failure.NOTHING, "nothing settled is granted in the period")
    told = tuples_of([*chapters, *earlier], scope)
    told += [tuple_ for _, tuple_ in restated if tuple_ not in told]
    return _Plan(bundle, scope, chapters, earlier, [c for c, _ in restated], told)


def _answers(claim: Claim, plan: _Plan) -> tuple[Answers, Answers]:
    """The results by title and resource: of the bundle's days, and of those before.

    Raises Failed where there is no number at all in the bundle's days.
    """
    total = sum(len(c.queries) for c in (*plan.chapters, *plan.earlier))
    done = 0
    told: list[Answers] = []
    for chapters in (plan.chapters, plan.earlier):
        answers: Answers = {}
        for chapter in chapters:
            results = answers.setdefault(chapter.title.pk, {})
            for query in chapter.queries:
                _say(claim, "reading", 50 * done // total)
                with acting_as(WORKER):
                    results[query.resource] = run(query, plan.scope)
                done += 1
        told.append(answers)
        if not any(r.releases for of_title in told[0].values() for r in of_title.values()):
            raise Failed(Failure.NOTHING, "nothing has been published for the period")
    now, before = told
    return now, before


def _report(plan: _Plan, answers: Answers, before: Answers) -> Report:
    bundle, language = plan.bundle, plan.bundle.language
    results = [result for of_title in answers.values() for result in of_title.values()]
    slugs = {c.title.pk: c.title.slug for c in plan.chapters}
    window = Window(bundle.from_day, bundle.until)
    return Report(
        bundle_id=str(bundle.pk),
        portal_name=settings.PORTAL_NAME,
        partner_name=_name_of(bundle.partner, language),
        recipient_name=bundle.recipient.user.get_full_name(),
        language=language,
        window=window,
        data_through=_data_through(plan),
        sample=any(result.sample for result in results),
        titles=tuple(
            _title_report(chapter, answers[chapter.title.pk], before.get(chapter.title.pk, {}))
            for chapter in plan.chapters
        ),
        releases=_releases([*answers.values(), *before.values()]),
        # of the row, so that a bundle made twice is the same bytes
        created_at=bundle.made_at,
        formats=tuple(bundle.formats),
        paper=bundle.paper,
        changes=tuple(_restated(change, slugs) for change in plan.restated),
        delayed=bundle.run is not None and bundle.run.delayed,
    )


def _name_of(partner: Partner, language: str) -> str:
    """In a report in both languages both its names, where they differ."""
    languages = ("zh-hans", "en") if language == "both" else (language,)
    return " · ".join(dict.fromkeys(partner.name_in(one) for one in languages))


def _restated(change: Change, slugs: dict[int, str]) -> Restated:
    return Restated(
        slug=slugs[change.title_id],
        family=change.family,
        territory=change.territory,
        window=change.window,
        metric=change.metric,
        old=change.old,
        new=change.new,
        day=localdate(change.at),
        adjusts=change.adjusts,
    )


def _title_report(
    chapter: Chapter, results: dict[str, Result], before: dict[str, Result]
) -> TitleReport:
    title: Title = chapter.title
    return TitleReport(
        slug=title.slug,
        name_zh=title.name_zh,
        name_en=title.name_en,
        kind=title.kind,
        runtime_s=title.runtime_s,
        territories=tuple(sorted({p.territory for p in chapter.parts()})),
        results=results,
        moments=moments_of(
            results.get("moments"), results.get("danmu"), results.get("danmu_comments")
        ),
        before=before,
    )


def _deliver(claim: Claim, plan: _Plan, report: Report, made: Made, stored: storage.Stored) -> bool:
    """Name the file and queue the mail, if the claim and every grant still hold."""
    claim.check()
    bundle = plan.bundle
    bundle.scope = [t.as_json() for t in plan.tuples]
    with acting_as(WORKER):
        if not covered(bundle, scope_for(bundle.recipient, EXIT, delivered=True)):
            raise Failed(Failure.REFUSED, "a grant ended while it was being made")
        if not jobs.finish(claim, Job.State.DONE):
            raise jobs.LeaseLost
        Bundle.objects.filter(pk=bundle.pk).update(
            scope=bundle.scope,
            releases=list(report.releases),
            rendering=made.rendering_id,
            step="",
            progress=100,
        )
        Artefact.objects.create(
            partner_id=bundle.partner_id,
            bundle=bundle,
            name=_file_name(bundle),
            path=stored.path,
            sha256=stored.sha256,
            plain_sha256=made.plain_sha256,
            size_bytes=stored.size_bytes,
        )
        delivery = Delivery(
            partner_id=bundle.partner_id,
            bundle=bundle,
            recipient=bundle.recipient,
            address=bundle.recipient.user.email,
        )
        delivery.message_id = f"<{delivery.pk}@{urlsplit(settings.BASE_URL).hostname}>"
        delivery.save(force_insert=True)
        jobs.ring(Delivery, delivery.pk)
    return True


def _fail(claim: Claim, failed: Failed) -> None:
    """End the bundle with its reason."""
    log.info("bundle %s: %s", claim.id, failed.problem)
    with _own_transaction():
        jobs.finish(claim, Job.State.FAILED, failed.failure, failed.problem)
        Bundle.objects.filter(pk=claim.id).update(step="", progress=0)


def _try_again(claim: Claim, problem: str, *, tries: int | None = None) -> None:
    log.warning("bundle %s: %s", claim.id, problem)
    with _own_transaction():
        is_over = tries is not None and claim.attempt >= tries
        if is_over or not jobs.retry(
            claim,
            failure=Failure.TROUBLE,
            problem=problem,
            after=jobs.backoff(claim.attempt),
            within=TRIES_WITHIN,
        ):
            jobs.finish(claim, Job.State.FAILED, Failure.BROKEN, problem)


def _say(claim: Claim, step: str, progress: int) -> None:
    """Tell whoever watches how far it is; stops an attempt that has lost its lease."""
    claim.check()
    with acting_as(WORKER):
        if not Bundle.objects.filter(
            pk=claim.id, attempts=claim.attempt, state=Job.State.RUNNING
        ).update(step=step, progress=progress):
            raise jobs.LeaseLost


def _load(claim: Claim) -> Bundle:
    return Bundle.objects.select_related(
        "partner", "recipient", "recipient__user", "recipient__partner", "run"
    ).get(pk=claim.id)


def _releases(answers: list[dict[str, Result]]) -> tuple[str, ...]:
    return tuple(sorted({r for c in answers for result in c.values() for r in result.releases}))


def _data_through(plan: _Plan) -> date | None:
    """The last day of the period that has numbers."""
    with acting_as(WORKER):
        found = [measured(plan.scope, c.title.pk) for c in plan.chapters]
    ends = [min(window.until, plan.bundle.until) for window in found if window is not None]
    return max(ends) - timedelta(days=1) if ends else None


def _file_name(bundle: Bundle) -> str:
    last = bundle.until - timedelta(days=1)
    return f"dailies-{bundle.partner.slug}-{bundle.from_day:%Y%m%d}-{last:%Y%m%d}.zip"


@contextmanager
def _own_transaction() -> Iterator[None]:
    """The worker's role; an aborted transaction of the work is over by now."""
    with acting_as(WORKER), transaction.atomic():
        yield
