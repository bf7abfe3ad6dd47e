"""Mails that came back: reading delivery status notifications (RFC 3464) and marking deliveries.

What comes in is a stranger's to write. It is read up to a size and so many parts deep, whatever
is broken in it is no bounce, and it changes something only where it names the Message-ID of a
mail that left, which holds 122 random bits. What the server said is kept as text for staff.
"""

from __future__ import annotations

import email
import mailbox
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.message import Message
from pathlib import Path
from typing import BinaryIO

from django.db.models import F
from django.db.models.functions import Coalesce, Now

from engagement.roles import WORKER, acting_as
from partners.audit import record
from reports.models import Delivery, Job

MOST_BYTES = 1_000_000
"""Of one notification. What it returns of the mail stands at its end and is not needed whole."""
MOST_PARTS = 50
MOST_WORDS = 500

_MESSAGE_ID = re.compile(r"^message-id:[ \t]*(?:\r?\n[ \t]+)?(<[^<>\s]{1,190}>)", re.I | re.M)
_HAS_LEFT = (Job.State.DONE, Job.State.UNKNOWN, Job.State.SENDING)


@dataclass(frozen=True)
class Bounce:
    """What a notification says: of which mail, and in the server's words why."""

    message_id: str
    words: str


def bounces_in(content: bytes) -> list[Bounce]:
    """What a message says came back for good; none where it is no such notification."""
    try:
        return _read(content[:MOST_BYTES])
    except Exception:  # the parser's own faults over what strangers write
        return []


def record_bounce(bounce: Bounce) -> bool:
    """Mark the delivery of that mail. False where none is known by it, or it is marked already."""
    with acting_as(WORKER):
        delivery = (
            Delivery.objects.select_for_update(of=("self",))
            .select_related("partner", "recipient")
            .filter(message_id=bounce.message_id, state__in=_HAS_LEFT)
            .first()
        )
        if delivery is None or delivery.state == Job.State.SENDING:
            return False
        Delivery.objects.filter(pk=delivery.pk).update(
            state=Job.State.BOUNCED,
            failure=Job.Failure.REJECTED,
            problem=bounce.words,
            bounced_at=Now(),
            done_at=Coalesce(F("done_at"), Now()),
        )
        record(
            "mail.bounced",
            actor=None,
            partner=delivery.partner,
            target=delivery.about,
            recipient=str(delivery.recipient.user_id),
        )
    return True


def messages_of(source: Path) -> Iterator[bytes]:
    """The messages of a Maildir folder, or the one of a file, each up to its size."""
    if source.is_dir():
        box = mailbox.Maildir(source, create=False)
        for key in sorted(box.keys()):
            with box.get_file(key) as file:
                yield file.read(MOST_BYTES)
    else:
        with source.open("rb") as file:
            yield read_one(file)


def read_one(file: BinaryIO) -> bytes:
    return file.read(MOST_BYTES)


def _read(content: bytes) -> list[Bounce]:
    message = email.message_from_bytes(content, policy=policy.compat32)
    if message.get_content_type() != "multipart/report":
        return []
    parts = [part for part, _ in zip(message.walk(), range(MOST_PARTS), strict=False)]
    words = [w for p in parts if p.get_content_type() == "message/delivery-status" for w in _why(p)]
    ids = [found for part in parts if (found := _id_of(part))]
    return [Bounce(message_id, words[0]) for message_id in dict.fromkeys(ids[:1]) if words]


def _why(status: Message) -> Iterator[str]:
    """Of each recipient that will not get it: the server's words, and the code."""
    payload = status.get_payload()
    for block in payload if isinstance(payload, list) else ():
        if not isinstance(block, Message):
            continue
        if str(block.get("Action", "")).strip().lower() != "failed":
            continue
        said = (block.get("Status", ""), block.get("Diagnostic-Code", ""))
        text = " ".join(" ".join(str(part) for part in said).split())
        yield "".join(c for c in text if c.isprintable())[:MOST_WORDS] or "no reason was given"


def _id_of(part: Message) -> str:
    """The Message-ID of the mail that is returned, whole or by its headers alone."""
    kind = part.get_content_type()
    if kind == "text/rfc822-headers":
        payload = part.get_payload(decode=True)
        text = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
        found = _MESSAGE_ID.search(text)
        return found.group(1) if found else ""
    if kind in ("message/rfc822", "message/global"):
        payload = part.get_payload()
        inner = payload[0] if isinstance(payload, list) and payload else None
        return str(inner.get("Message-ID", "")).strip() if isinstance(inner, Message) else ""
    return ""
