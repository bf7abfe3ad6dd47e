"""Celery's way in: ids in, one plain function, safe to run twice."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from partners import credential_mails
from reports import build, deliver, downloads, heartbeat, jobs, notices, runs


@shared_task(name="reports.sweep", ignore_result=True)
def sweep() -> None:
    heartbeat.seen(heartbeat.BEAT_KIND)  # only beat asks for a sweep
    heartbeat.seen(heartbeat.WORKER_KIND)
    jobs.sweep()


@shared_task(name="reports.make_runs", ignore_result=True)
def make_runs() -> None:
    runs.make_runs()


@shared_task(name="reports.purge", ignore_result=True)
def purge() -> None:
    downloads.purge()


@shared_task(name="reports.build_bundle", ignore_result=True)
def build_bundle(bundle_id: str) -> None:
    """A bell for one bundle; whose turn it is, is made."""
    UUID(str(bundle_id))  # else it is no bell of ours
    heartbeat.seen(heartbeat.WORKER_KIND)
    build.build_next()


@shared_task(name="reports.send_delivery", ignore_result=True)
def send_delivery(delivery_id: str) -> None:
    heartbeat.seen(heartbeat.WORKER_KIND)
    deliver.send(UUID(delivery_id))


@shared_task(name="reports.remind_of_credentials", ignore_result=True)
def remind_of_credentials() -> None:
    credential_mails.remind()


@shared_task(name="reports.make_notices", ignore_result=True)
def make_notices() -> None:
    notices.make_notices()


@shared_task(name="reports.send_notice", ignore_result=True)
def send_notice(notice_id: str) -> None:
    heartbeat.seen(heartbeat.WORKER_KIND)
    notices.send(UUID(notice_id))
