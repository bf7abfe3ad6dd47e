"""What the processes of apart.py have loaded when they begin."""

from __future__ import annotations

from importlib import import_module

import django

django.setup()
for name in ("ingest", "close_month", "rebuild"):
    import_module(f"portal.management.commands.{name}")
