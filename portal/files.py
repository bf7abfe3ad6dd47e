"""Answers that are files: the same headers whoever asked, page or REST."""

from __future__ import annotations

from django.http import HttpResponse

from engagement.families import Result
from reports.render.csv import to_csv


def csv_response(result: Result, title_slug: str) -> HttpResponse:
    """One resource of one title, as a CSV to be kept."""
    response = HttpResponse(to_csv(result), content_type="text/csv; charset=utf-8")
    name = f"{title_slug}-{result.resource.name}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
