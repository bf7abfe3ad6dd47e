from django.apps import AppConfig
from django.conf import settings


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        from portal import (
            celery,  # noqa: F401  the app by which every process rings
            checks,
        )

        if settings.PRODUCTION:
            checks.refuse_to_start()
