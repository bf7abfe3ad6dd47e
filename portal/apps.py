from django.apps import AppConfig
from django.conf import settings


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        from portal import celery, checks  # noqa: F401  every process rings by that app

        if settings.PRODUCTION:
            checks.refuse_to_start()
