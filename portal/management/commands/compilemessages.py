"""Django's compilemessages without GNU gettext: our own .po files to .mo, by Babel."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from portal.services.messages import compile_messages


class Command(BaseCommand):
    help = "Compile the translations that have changed since they were compiled last."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        for target in compile_messages():
            self.stdout.write(f"compiled {target.parent.parent.name}")
