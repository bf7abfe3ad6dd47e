"""Celery's way in: one plain function, safe to run any number of times at once."""

from __future__ import annotations

from celery import shared_task

from partners import sealing


@shared_task(name="partners.seal_audit", ignore_result=True)
def seal_audit() -> None:
    sealing.seal()
