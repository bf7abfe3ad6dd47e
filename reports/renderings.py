"""The files of a bundle: rendered once for all who may see the same, then made each one's own.

What is rendered holds no recipient, no bundle and no date of making. It is kept under a key over
everything that is in it, so that it is found again for a recipient who is given the very same
answers under the very same scope, and for nobody else (`key_of`). Recipients get it stamped, and
encrypted or signed where their partner asks for that.
"""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date
from functools import cache
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import Error, connection
from django.db.models.functions import Now

from engagement.roles import WORKER, acting_as
from partners.models import Membership
from reports import storage
from reports.charts import fonts
from reports.models import Rendering
from reports.passwords import password_of
from reports.render import renderer
from reports.render.descriptors import MANIFEST, PACKAGE, REPORT, readdressed
from reports.render.document import Report
from reports.render.encryption import encrypted
from reports.render.signature import signed
from reports.render.stamp import Mark, stamped
from reports.render.zipping import File, rezipped
from reports.signing import signer

ROOT = Path(__file__).resolve().parents[1]
_LOOK_AGAIN_S = 0.2
_CODE = (
    *("reports/render/*.py", "reports/charts/*.py", "reports/moments.py", "templates/report/*"),
    *("static/report/*", "static/charts/*.js", "static/vendor/echarts.min.js"),
    "locale/*/LC_MESSAGES/django.mo",
)
Scope = list[dict[str, Any]]


@dataclass(frozen=True)
class Made:
    """What one recipient gets: the zip, the rendering that it was made of, and the SHA-256 of the
    PDF in it before it was encrypted or signed, which is the same each time."""

    content: bytes
    plain_sha256: str = ""
    rendering_id: UUID | None = None


def make_files(
    report: Report,
    scope: Scope,
    under: Scope,
    recipient: Membership,
    check: Callable[[], None],
) -> Made:
    """The recipient's zip. `scope` is what they may see, as the manifest tells it; `under` is every
    tuple that the answers were read under.

    `check` is called all the while it is rendered, or waited for; what it raises ends the work.
    Raises renderer.Stopped where a limit did, renderer.RenderingFailed where it cannot be made,
    OSError where it cannot be stored.
    """
    rendering_id, rendered = _rendering(
        report, scope, key_of(report, under, recipient.partner_id), recipient.partner_id, check
    )
    with zipfile.ZipFile(BytesIO(rendered)) as archive:
        unstamped, package, manifest = (archive.read(n) for n in (REPORT, PACKAGE, MANIFEST))
    mark = Mark(
        recipient=report.recipient_name,
        bundle_id=report.bundle_id,
        made=report.created_at,
        language=report.language,
        paper=report.paper,
    )
    plain = stamped(unstamped, mark)
    pdf = File(REPORT, _protected(plain, recipient))
    told = readdressed(
        package,
        manifest,
        pdf,
        bundle_id=report.bundle_id,
        recipient=report.recipient_name,
        made=report.created_at,
    )
    return Made(rezipped(rendered, [pdf, *told]), hashlib.sha256(plain).hexdigest(), rendering_id)


def key_of(report: Report, under: Scope, partner_id: UUID) -> str:
    """SHA-256 over all that a rendering shows and under which rights, and what renders it.

    Of the report everything but the recipient, the bundle and the time of making: the window,
    language, formats, paper, releases, and each answer with all its cells.
    """
    whole = [str(partner_id), under, unaddressed(report), _renders_with()]
    text = json.dumps(whole, default=_plain, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def unaddressed(report: Report) -> Report:
    """The report for nobody yet."""
    return replace(report, recipient_name="", bundle_id="", created_at=report.as_of)


def _protected(plain: bytes, recipient: Membership) -> bytes:
    """The PDF as the partner's policy has it sent. Raises NoSigner, Unreadable."""
    partner, pdf, password = recipient.partner, plain, None
    if partner.encrypt_reports:
        with acting_as(WORKER):
            password = password_of(recipient)
        pdf = encrypted(pdf, password)
    if partner.sign_reports:
        pdf = signed(pdf, signer(), name=settings.PORTAL_NAME, password=password)
    return pdf


def _rendering(
    report: Report, scope: Scope, key: str, partner_id: UUID, check: Callable[[], None]
) -> tuple[UUID, bytes]:
    """The rendering of a key, made if it is not there. Whoever comes meanwhile waits."""
    while (found := _stored(key, partner_id)) is None:
        with _alone(key) as alone:
            if alone:
                found = _stored(key, partner_id)
                return found or _rendered(report, scope, key, partner_id, check)
        check()
        time.sleep(_LOOK_AGAIN_S)
    return found


def _rendered(
    report: Report, scope: Scope, key: str, partner_id: UUID, check: Callable[[], None]
) -> tuple[UUID, bytes]:
    content = renderer.render(unaddressed(report), scope, check)
    stored = storage.put(content)
    with acting_as(WORKER):
        row, _made = Rendering.objects.update_or_create(
            partner_id=partner_id,
            key=key,
            defaults={
                "path": stored.path,
                "sha256": stored.sha256,
                "size_bytes": stored.size_bytes,
                "made_at": Now(),
            },
        )
    return row.pk, content


def _stored(key: str, partner_id: UUID) -> tuple[UUID, bytes] | None:
    """None also where its file is gone or is not what was put there: then it is made anew."""
    with acting_as(WORKER):
        row = Rendering.objects.filter(partner_id=partner_id, key=key).first()
    if row is None:
        return None
    try:
        with storage.open_stored(row.path) as file:
            content: bytes = file.read()
    except FileNotFoundError:
        return None
    return (row.pk, content) if hashlib.sha256(content).hexdigest() == row.sha256 else None


@contextmanager
def _alone(key: str) -> Iterator[bool]:
    """Whether this worker is the one that renders what has this key, for the length of a block.

    Two that did would only do it twice: the lock goes with the connection.
    """
    number = int(key[:15], 16)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        got = bool(cursor.fetchone()[0])
    try:
        yield got
    finally:
        if got:
            with suppress(Error), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [number])


@cache
def _renders_with() -> str:
    """Of the code, templates, assets, fonts and libraries that render: what changes the bytes."""
    files = [path for pattern in _CODE for path in sorted(ROOT.glob(pattern)) if path.is_file()]
    files += [fonts.font_path(weight) for weight in fonts.FILES]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    for package in ("weasyprint", "pydyf", "pikepdf", "mini-racer", "xlsxwriter", "pyarrow"):
        digest.update(version(package).encode())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """Values as JSON has them, each in one way. Raises TypeError for what it does not know."""
    if is_dataclass(value) and not isinstance(value, type):
        held = {field.name: getattr(value, field.name) for field in fields(value)}
        return [type(value).__qualname__, held]
    if isinstance(value, date):  # a moment is one too
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, UUID):
        return str(value)
    if hasattr(value, "tolist"):  # numpy's
        return value.tolist()
    raise TypeError(f"no key of a {type(value).__name__}")
