"""Sending the mail of a finished bundle: once, or visibly not.

The mail holds a link and no figures; the file itself only where all that is in it is granted to
the recipient for mail (the exit `email`). What the recipient may see is worked out again right
before the message leaves. Up to the SMTP command DATA a failure is safe to try again; after it
only the server knows, so the row says `sending` first, and a silence ends as `unknown`, which
is shown and never sent again by itself. The audit trail has the mail in the same commit, before
DATA: where that cannot be written nothing leaves. What did not arrive is recorded after it.
"""

from __future__ import annotations

import logging
import smtplib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend
from django.db.models.functions import Now

from engagement.roles import WORKER, acting_as
from partners.access import scope_for
from partners.audit import record
from reports import jobs
from reports.jobs import Claim
from reports.mails import is_small, message_of
from reports.models import Delivery, Job, Notice
from reports.plan import EXIT, covered

log = logging.getLogger(__name__)

SEND_WITHIN = timedelta(days=1)
MAIL = "email"
"""The exit by which a file itself leaves with a mail."""

TOO_LARGE = "552 "
"""What a server says to a message beyond its size (RFC 1870): the next try has the link alone."""

Failure = Job.Failure


class Withdrawn(Exception):
    """The recipient may not have the bundle any more: nothing is sent."""


class Conversation(EmailBackend):
    """Django's SMTP backend, calling `before_data` at the point of no return.

    Its time-out is of one answer's silence; `within` bounds all of it, or a server that says a
    line now and then would keep a worker for as long as it likes.
    """

    def __init__(self, before_data: Callable[[], None], **options: Any) -> None:
        super().__init__(**options)
        self.before_data = before_data
        self._line: smtplib.SMTP | None = None

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut the line once so much time is over, and whatever line is made after that."""
        is_over = threading.Event()

        def watch() -> None:
            wait = seconds
            while not is_over.wait(wait):
                self._cut()
                wait = 1.0  # while it is made or encrypted there is no socket to cut yet

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            is_over.set()
            watcher.join()

    def _cut(self) -> None:
        """From another thread: whoever waits for the server, waits no more.

        The plain socket's own shutdown: that of an encrypted one first forgets its encryption,
        and what is being sent at that moment would leave in plain text.
        """
        sock = self._line and self._line.sock
        if sock:
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        conversation = self
        base: type[smtplib.SMTP] = super().connection_class

        class Server(base):  # type: ignore[valid-type, misc]
            def connect(self, *where: Any, **options: Any) -> tuple[int, bytes]:
                conversation._line = self
                greeting: tuple[int, bytes] = super().connect(*where, **options)
                return greeting

            def data(self, message: Any) -> tuple[int, bytes]:
                conversation.before_data()
                answer: tuple[int, bytes] = super().data(message)
                return answer

        return Server


@dataclass(frozen=True)
class Post:
    """A kind of mail: what may still be sent, its message, and what is recorded as it leaves.

    `still_wanted` reads the job afresh, as the worker, and raises Withdrawn; it is asked before
    the conversation and again at the point of no return.
    """

    model: type[Delivery] | type[Notice]
    still_wanted: Callable[[UUID], Any]
    message_of: Callable[[Any], EmailMultiAlternatives]
    record_leaving: Callable[[Any, EmailMultiAlternatives], None]


def send(delivery_id: UUID) -> bool:
    """Send the mail of a bundle: see `post`."""
    return post(_BUNDLES, delivery_id)


def post(kind: Post, job_id: UUID) -> bool:
    """Send the mail if it is due and nobody else does. Safe to call any number of times.

    Returns whether this call sent it.
    """
    claim = jobs.claim(kind.model, job_id)
    if claim is None:
        return False
    with jobs.held(claim):
        try:
            job = kind.still_wanted(job_id)
            _converse(kind, claim, kind.message_of(job))
        except Withdrawn as reason:
            jobs.finish(claim, Job.State.CANCELLED, Failure.REFUSED, str(reason))
        except jobs.LeaseLost:
            log.warning("mail %s: another attempt owns it", job_id)
        except NotSent as reason:
            _not_sent(claim, reason)
        except _Uncertain as reason:
            with acting_as(WORKER):
                if jobs.finish(claim, Job.State.UNKNOWN, Failure.UNCERTAIN, str(reason)):
                    jobs.record_failed_mail(job, Job.State.UNKNOWN.value)
        except Exception as problem:
            log.exception("mail %s", job_id)
            _not_sent(claim, NotSent(f"{type(problem).__name__}: {problem}"))
        else:
            return _sent(kind, claim)
    return False


class NotSent(Exception):
    """It certainly did not arrive. `final` where trying again would be told the same; `recorded`
    is the job where the trail has it as leaving.
    """

    def __init__(self, problem: str, *, final: bool = False, recorded: Any = None) -> None:
        super().__init__(problem)
        self.final = final
        self.recorded = recorded


class _Uncertain(Exception):
    """It may have left."""


def _still_wanted(delivery_id: UUID) -> Delivery:
    """The delivery, if its recipient may have the bundle now. Raises Withdrawn."""
    with acting_as(WORKER):
        delivery = Delivery.objects.select_related(
            "bundle__partner", "bundle__run__schedule", "bundle__artefact", "recipient__user"
        ).get(pk=delivery_id)
        bundle = delivery.bundle
        if not covered(bundle, scope_for(delivery.recipient, EXIT, delivered=True)):
            raise Withdrawn("the bundle is not granted to the recipient any more")
        if bundle.purged_at is not None:
            raise Withdrawn("the file has been removed")
        delivery.attached = _may_attach(delivery)
        if delivery.address != delivery.recipient.user.email:
            delivery.address = delivery.recipient.user.email
            delivery.save(update_fields=["address"])
    return delivery


def _may_attach(delivery: Delivery) -> bool:
    """Whether the file may leave with the mail, and is not too large for the server."""
    bundle = delivery.bundle
    if not is_small(bundle) or delivery.problem.startswith(TOO_LARGE):
        return False
    return covered(bundle, scope_for(delivery.recipient, MAIL, delivered=True))


def _converse(kind: Post, claim: Claim, message: EmailMultiAlternatives) -> None:
    """Hand the message to the server. Raises NotSent, _Uncertain, Withdrawn or LeaseLost."""
    leaving: Any = None

    def before_data() -> None:
        nonlocal leaving
        claim.check()
        with acting_as(WORKER):
            job = kind.still_wanted(claim.id)
            if not jobs.advance(claim, Job.State.SENDING):
                raise jobs.LeaseLost
            kind.record_leaving(job, message)
        leaving = job

    server = Conversation(before_data)
    try:
        with server.within(settings.EMAIL_DEADLINE):
            _open(server)
            server.send_messages([message])
    except smtplib.SMTPRecipientsRefused as problem:
        [(code, words)] = problem.recipients.values()
        raise NotSent(_answer(code, words), final=code >= 500) from problem
    except smtplib.SMTPResponseException as problem:  # of MAIL, DATA or the message itself
        said = _answer(problem.smtp_code, problem.smtp_error)
        final = problem.smtp_code >= 500 and not (
            message.attachments and said.startswith(TOO_LARGE)
        )
        raise NotSent(said, final=final, recorded=leaving) from problem
    except Exception as problem:
        if leaving is not None:
            raise _Uncertain(_words(problem)) from problem
        if isinstance(problem, (OSError, smtplib.SMTPException)):
            raise NotSent(_words(problem)) from problem
        raise
    finally:
        _hang_up(server)


def _open(server: Conversation) -> None:
    """Connect, encrypt and sign in. Raises NotSent.

    Whatever the server answers here is about us, not about the recipient: it is never final.
    """
    try:
        server.open()
    except (OSError, smtplib.SMTPException) as problem:
        raise NotSent(_words(problem)) from problem


def _hang_up(server: Conversation) -> None:
    """Close without waiting for a good-bye: what counts has been said."""
    # a connection that failed to encrypt or sign in is a partial one (Django 5.2.19)
    for line in (server.connection, getattr(server, "_partial_connection", None)):
        if line is not None:
            line.close()
    server.connection = None


def _sent(kind: Post, claim: Claim) -> bool:
    with acting_as(WORKER):
        if not jobs.finish(claim, Job.State.DONE):
            log.error("mail %s: sent, but its lease was lost", claim.id)
            return False
        kind.model.objects.filter(pk=claim.id).update(sent_at=Now())
    return True


def _record_leaving(delivery: Delivery, message: EmailMultiAlternatives) -> None:
    """Raises NotSent where the file may not leave by mail any more: the next try has the link."""
    attached = bool(message.attachments)
    if attached and not delivery.attached:
        raise NotSent("the file may not leave by mail any more")
    Delivery.objects.filter(pk=delivery.pk).update(attached=attached)
    detail: dict[str, Any] = {"attached": delivery.bundle.artefact.sha256} if attached else {}
    record(
        "bundle.mailed",
        actor=None,
        partner=delivery.bundle.partner,
        target=delivery.about,
        recipient=str(delivery.recipient.user_id),
        **detail,
    )


def _not_sent(claim: Claim, reason: NotSent) -> None:
    with acting_as(WORKER):
        if not reason.final and jobs.retry(
            claim,
            failure=Failure.TROUBLE,
            problem=str(reason),
            after=jobs.backoff(claim.attempt),
            within=SEND_WITHIN,
        ):
            outcome = Job.State.QUEUED.value
        else:
            failure = Failure.REJECTED if reason.final else Failure.BROKEN
            jobs.finish(claim, Job.State.FAILED, failure, str(reason))
            outcome = Job.State.FAILED.value
        if reason.recorded is not None:
            jobs.record_failed_mail(reason.recorded, outcome)


def _answer(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"{code} {text}"


def _words(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"


_BUNDLES = Post(Delivery, _still_wanted, message_of, _record_leaving)
