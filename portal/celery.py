"""The Celery app. Its beat only says when to look into the tables for what is due."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init
from django.core.exceptions import ImproperlyConfigured
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
# the scheme of REDIS_URL says the transport, and leaves no setting to say another
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "portal.broker:Transport"))
app = Celery("dailies")
app.set_default()  # for every thread: "current" alone is that of the importing thread
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["partners", "reports"])
# Doubled or late bells do no harm: what they lead to is decided by unique rows.
app.conf.beat_schedule = {
    "sweep": {"task": "reports.sweep", "schedule": 2.0, "options": {"expires": 10}},
    "seal-audit": {"task": "partners.seal_audit", "schedule": 5.0, "options": {"expires": 10}},
    "make-runs": {"task": "reports.make_runs", "schedule": 30.0, "options": {"expires": 60}},
    "remind": {
        "task": "reports.remind_of_credentials",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "make-notices": {"task": "reports.make_notices", "schedule": 60.0, "options": {"expires": 60}},
    "purge": {"task": "reports.purge", "schedule": 3600.0, "options": {"expires": 3600}},
}
app.conf.beat_schedule_filename = os.environ.get("BEAT_SCHEDULE", "var/run/beat")


@worker_init.connect  # type: ignore[untyped-decorator]
def look_at_the_login(**kwargs: Any) -> None:
    """A worker under a login that the walls do not hold for ends here; Celery only logs others."""
    from portal.login import refuse_wrong_login

    try:
        refuse_wrong_login()
    except ImproperlyConfigured as error:
        raise SystemExit(str(error)) from error
