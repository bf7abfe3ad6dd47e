"""A Report as a PDF, A4 or Letter: tagged (PDF/UA-1), in one font of ours.

The same report gives the same bytes.

WeasyPrint may fetch nothing but that font and the charts drawn here. Whatever a title, a name or
a comment holds is text: a fetch that is asked for all the same fails the report.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pikepdf
from django.template.loader import render_to_string
from django.utils.translation import override
from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

from reports.charts.fonts import FILES, font_path, printable
from reports.render import layout, pages
from reports.render.document import Report
from reports.render.stamp import make_room

STYLE = Path(__file__).resolve().parents[2] / "static" / "report" / "report.css"
FONT_SCHEME = "dailiesfont:"
CHART_SCHEME = "dailieschart:"


logging.getLogger("weasyprint.progress").setLevel(logging.WARNING)  # else some lines a page


class RenderFailed(RuntimeError):
    """The report could not be made as it should be."""


class OnlyOurs(URLFetcher):
    """Fetches the report font and the charts it was told of; remembers all else as refused."""

    def __init__(self) -> None:
        super().__init__(allowed_protocols=(), allow_redirects=False)
        self._charts: dict[str, str] = {}
        self.refused: list[str] = []

    def chart(self, svg: str) -> str:
        """The URL under which the document may show this chart."""
        url = f"{CHART_SCHEME}{len(self._charts) + 1}"
        self._charts[url] = svg
        return url

    def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> URLFetcherResponse:
        if url in self._charts:
            body = self._charts[url].encode()
            return URLFetcherResponse(url, body, {"Content-Type": "image/svg+xml"})
        weight = url.removeprefix(FONT_SCHEME)
        if url.startswith(FONT_SCHEME) and weight in {str(w) for w in FILES}:
            body = font_path(int(weight)).read_bytes()
            return URLFetcherResponse(url, body, {"Content-Type": "font/ttf"})
        self.refused.append(url[:200])
        raise ValueError("a report fetches nothing from outside")


def render_pdf(report: Report) -> bytes:
    """The whole report. Raises RenderFailed, or ChartFailed where a chart cannot be drawn."""
    fetcher = OnlyOurs()
    page = render_html(report, fetcher)
    fonts = FontConfiguration()
    rules = STYLE.read_text(encoding="utf-8") + layout.style(report.paper)
    style = CSS(string=rules, url_fetcher=fetcher, font_config=fonts)
    raw = HTML(string=page, url_fetcher=fetcher).write_pdf(
        stylesheets=[style], font_config=fonts, pdf_variant="pdf/ua-1"
    )
    if fetcher.refused:
        raise RenderFailed(f"the report asked for {fetcher.refused[0]!r}")
    return finish(raw)


def render_html(report: Report, fetcher: OnlyOurs) -> str:
    """The page WeasyPrint sets, in the report's languages."""
    with override(pages.languages(report)[0]):
        page = render_to_string("report/report.html", pages.context(report, fetcher.chart))
    return printable(page)


def finish(raw: bytes) -> bytes:
    """Gives each table heading its scope, which WeasyPrint leaves out, and the stamp its places.

    Deterministic.
    """
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(raw)) as document:
        root = document.Root.get("/StructTreeRoot")
        if root is not None:
            _scope_headings(root, in_head=False)
        make_room(document)
        document.save(
            out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate
        )
    return out.getvalue()


def _scope_headings(top: Any, *, in_head: bool) -> None:
    waiting: list[tuple[Any, bool]] = [(top, in_head)]
    while waiting:
        element, head = waiting.pop()
        kind = element.get("/S")
        head = head or kind == pikepdf.Name.THead
        if kind == pikepdf.Name.TH:
            scope = pikepdf.Name.Column if head else pikepdf.Name.Row
            element.A = pikepdf.Dictionary(O=pikepdf.Name.Table, Scope=scope)
        children = element.get("/K")
        if children is None:
            continue
        for child in children if isinstance(children, pikepdf.Array) else [children]:
            if isinstance(child, pikepdf.Dictionary) and "/S" in child:
                waiting.append((child, head))
