"""What the mail of a bundle says: in its recipient's language, a link, no figures.

Whether it may leave, and whether the file may with it, is decided in deliver.py.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.translation import override

from reports import links, storage
from reports.links import Leaving
from reports.models import LANGUAGES, Bundle, Delivery


def is_small(bundle: Bundle) -> bool:
    """Whether the file is one that mail servers take."""
    return bool(bundle.artefact.size_bytes <= settings.ATTACH_MOST_MB * 1_000_000)


def message_of(delivery: Delivery) -> EmailMultiAlternatives:
    """The mail to one recipient; with the file where the delivery says that it is attached.

    Raises OSError where the file cannot be read.
    """
    user, bundle = delivery.recipient.user, delivery.bundle
    language = user.language if user.language in dict(LANGUAGES) else settings.LANGUAGE_CODE
    leave = _way_out(delivery)
    values = {
        "portal": settings.PORTAL_NAME,
        "name": user.get_full_name(),
        "partner": bundle.partner.name_in(language),
        "schedule": bundle.run.schedule.name if bundle.run else "",
        "late": bool(bundle.run and bundle.run.late),
        "delayed": bool(bundle.run and bundle.run.delayed),
        "since": bundle.from_day,
        "last": bundle.until - timedelta(days=1),
        "keep_days": settings.KEEP_BUNDLES_DAYS,
        "link_days": links.WORKS_FOR.days,
        "attached": delivery.attached,
        "link": links.to_bundle(bundle),
        "leave": leave,
        "language": language,
    }
    with override(language):  # the names of months
        subject, body, html = (
            render_to_string(f"mail/bundle.{language}.{kind}", values)
            for kind in ("subject.txt", "txt", "html")
        )
    message = EmailMultiAlternatives(
        subject=" ".join(subject.split()),
        body=body,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[delivery.address],
        headers={
            "Message-ID": delivery.message_id,
            "Auto-Submitted": "auto-generated",
            "Content-Language": "zh-Hans" if language == "zh-hans" else "en",
            **_unsubscribing(leave),
        },
    )
    message.attach_alternative(html, "text/html")
    if delivery.attached:
        with storage.open_stored(bundle.artefact.path) as file:
            message.attach(bundle.artefact.name, file.read(), "application/zip")
    return message


def _way_out(delivery: Delivery) -> str:
    """Where the recipient leaves the schedule; empty for a bundle that they asked for."""
    run = delivery.bundle.run
    if run is None:
        return ""
    return links.out_of(Leaving(delivery.partner_id, run.schedule_id, delivery.recipient_id))


def _unsubscribing(leave: str) -> dict[str, str]:
    """RFC 2369 and RFC 8058: mail programs show a button of their own."""
    if not leave:
        return {}
    return {
        "List-Unsubscribe": f"<{leave}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
