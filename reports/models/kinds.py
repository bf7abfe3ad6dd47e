"""What a report may be asked as: languages, formats, papers."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
REPORT_LANGUAGES = [*LANGUAGES, ("both", _("Chinese and English"))]
FORMATS = [
    ("xlsx", _("Excel workbook")),
    ("parquet", _("Parquet")),
    ("pdfa", _("PDF/A-3 with the data inside")),
]
"""Besides the PDF and the CSV files, which every bundle has."""
PAPERS = [("a4", "A4"), ("letter", "Letter")]


def formats_field() -> ArrayField[Any, Any]:
    """Which of FORMATS a bundle holds besides, each once, in their order."""
    return ArrayField(
        models.CharField(max_length=16, choices=FORMATS),
        verbose_name=_("also as"),
        default=list,
        blank=True,
    )
