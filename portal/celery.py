"""The Celery app. Its beat knows one thing to do: look into the tables for what is due."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
app = Celery("dailies")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["reports"])
app.conf.beat_schedule = {
    "sweep": {"task": "reports.sweep", "schedule": 2.0, "options": {"expires": 10}},
}
app.conf.beat_schedule_filename = os.environ.get("BEAT_SCHEDULE", "var/run/beat")
