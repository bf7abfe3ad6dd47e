"""A Report as a PDF, A4 or Letter: tagged (PDF/UA-1), in one font of ours.

The same report gives the same bytes.

WeasyPrint may fetch nothing but that font and the charts drawn here. Whatever a title, a name or
a comment holds is text: a fetch that is asked for all the same fails the report.
"""

from __future__ import annotations

import gc
import io
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pikepdf
from django.template.loader import render_to_string
from django.utils.translation import override
from weasyprint import CSS, HTML, Attachment
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


def render_pdf(report: Report, attached: Iterable[tuple[str, bytes]] = ()) -> bytes:
    """The whole report; with `attached` files, by name, as PDF/A-3 that holds them.

    Raises RenderFailed, or ChartFailed where a chart cannot be drawn.
    """
    fetcher = OnlyOurs()
    files = [
        Attachment(
            string=content,
            name=name,
            description=name,
            created=report.as_of,
            modified=report.as_of,
            relationship="Data",
        )
        for name, content in attached
    ]
    return typeset(render_html(report, fetcher), report.paper, fetcher, files)


def typeset(page: str, paper: str, fetcher: OnlyOurs, files: Sequence[Attachment] = ()) -> bytes:
    """The page of `render_html` as a PDF on that paper. Raises RenderFailed."""
    style, fonts = _style(paper)
    with _no_collecting():
        raw = HTML(string=page, url_fetcher=fetcher).write_pdf(
            stylesheets=[style],
            font_config=fonts,
            pdf_variant="pdf/a-3a" if files else "pdf/ua-1",
            attachments=files or None,
        )
    if fetcher.refused:
        raise RenderFailed(f"the report asked for {fetcher.refused[0]!r}")
    return finish(raw, is_archived=bool(files))


@cache
def _style(paper: str) -> tuple[CSS, FontConfiguration]:
    """The style and its fonts, which a process reads once."""
    fonts = FontConfiguration()
    rules = STYLE.read_text(encoding="utf-8") + layout.style(paper)
    return CSS(string=rules, url_fetcher=OnlyOurs(), font_config=fonts), fonts


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Without garbage collection: it walks all the boxes of the document again and again, finds
    next to nothing, and takes an eighth of the time (2.55 s against 2.22 s, 17 pages)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def render_html(report: Report, fetcher: OnlyOurs) -> str:
    """The page WeasyPrint sets, in the report's languages."""
    with override(pages.languages(report)[0]):
        page = render_to_string("report/report.html", pages.context(report, fetcher.chart))
    return printable(page)


def finish(raw: bytes, *, is_archived: bool = False) -> bytes:
    """Gives each table heading its scope, which WeasyPrint leaves out, and the stamp its places.

    A PDF/A names each attached file once, and says that it is PDF/UA as well. Deterministic.
    """
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(raw)) as document:
        root = document.Root.get("/StructTreeRoot")
        if root is not None:
            _scope_headings(root, in_head=False)
        make_room(document)
        _name_languages(document)
        if is_archived:
            once = {file.objgen: file for file in document.Root.AF}
            document.Root.AF = pikepdf.Array(once.values())
            document.Root.Metadata = document.make_stream(
                _saying_ua(document.Root.Metadata.read_bytes()),
                Type=pikepdf.Name.Metadata,
                Subtype=pikepdf.Name.XML,
            )
        document.save(
            out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate
        )
    return out.getvalue()


def _name_languages(document: pikepdf.Pdf) -> None:
    """Says of which language the pages of each part are, where a report is written in two.

    Each part begins a page, and its bookmark bears the name of its language.
    """
    begins = dict(_parts(document))
    if len(begins) < 2:
        return
    places = {page.objgen: number for number, page in enumerate(document.pages)}
    [whole] = document.Root.StructTreeRoot.K
    elements: Any = whole.K
    for element in elements:
        page = element.get("/Pg")
        at = places.get(page.objgen, -1) if page is not None else -1
        of = [language for first, language in sorted(begins.items()) if first <= at]
        if of:
            element.Lang = pikepdf.String(of[-1])


def _parts(document: pikepdf.Pdf) -> Iterator[tuple[int, str]]:
    """The first page and the language of each part, by the outline."""
    names = {name: pages.html_language(code) for code, name in pages.LANGUAGE_NAMES.items()}
    with document.open_outline() as outline:
        for item in outline.root:
            target: Any = item.destination
            if item.title in names and target is not None:
                yield pikepdf.Page(target[0]).index, names[item.title]


_UA = b"""
<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/">
<pdfuaid:part>1</pdfuaid:part>
</rdf:Description>
<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
 xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#"
 xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
<pdfaSchema:schema>PDF/UA identification schema</pdfaSchema:schema>
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">
<pdfaProperty:name>part</pdfaProperty:name>
<pdfaProperty:valueType>Integer</pdfaProperty:valueType>
<pdfaProperty:category>internal</pdfaProperty:category>
<pdfaProperty:description>part of ISO 14289 that the file keeps to</pdfaProperty:description>
</rdf:li></rdf:Seq></pdfaSchema:property>
</rdf:li></rdf:Bag></pdfaExtension:schemas>
</rdf:Description>
"""
"""PDF/A knows no property of PDF/UA, so the file brings its description along (ISO 19005-3,
6.6.2.3)."""


def _saying_ua(metadata: bytes) -> bytes:
    end = metadata.rindex(b"</rdf:RDF>")
    return metadata[:end] + _UA + metadata[end:]


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
