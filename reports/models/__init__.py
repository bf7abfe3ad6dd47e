"""Reports: when (Schedule, Run), what (Bundle, Rendering, Artefact) and to whom (Delivery, Notice).

The rows are the truth about the work; the broker only rings. Each Bundle, Delivery and Notice is
claimed with a lease and finished by whoever still holds it (reports/jobs.py).
"""

from reports.models.bundles import Artefact, Bundle, Rendering
from reports.models.deliveries import Delivery, Notice, ReportPassword
from reports.models.jobs import Heartbeat, Job
from reports.models.kinds import FORMATS, LANGUAGES, PAPERS, REPORT_LANGUAGES
from reports.models.schedules import Run, Schedule

__all__ = [
    "FORMATS",
    "LANGUAGES",
    "PAPERS",
    "REPORT_LANGUAGES",
    "Artefact",
    "Bundle",
    "Delivery",
    "Heartbeat",
    "Job",
    "Notice",
    "Rendering",
    "ReportPassword",
    "Run",
    "Schedule",
]
