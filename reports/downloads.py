"""The one door to a stored bundle, and the end of those that nobody may read any more."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import BinaryIO
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from engagement.roles import PARTNER, WEB, WORKER, acting_as
from engagement.scope import Refused, Scope
from partners.access import scope_for
from partners.audit import record
from partners.credentials import still_opens
from partners.models import Membership, with_people
from reports import storage
from reports.models import Artefact, Bundle, Job, Rendering
from reports.plan import EXIT, covered

log = logging.getLogger(__name__)

LISTED = 500
"""Bundles that a listing looks at: a year of weekly reports to nine people."""

CHUNK = 65_536

LOOK_AGAIN_S = 15.0
"""While a file is sent, the right to it is looked at again this often."""

ORPHAN_AFTER_S = 3600.0
"""A file that no row names by then was left by a worker that died before it could say so."""

KEEP_RENDERINGS_DAYS = 7
"""A report before it has a recipient: what one more recipient is stamped on."""


def bundles_of(membership: Membership) -> list[Bundle]:
    """The newest bundles that the member may open or waits for, the newest first.

    Own ones, and for an owner those of the partner's members that an owner's scope covers.
    """
    scopes = _Scopes(membership)
    found = _bundles(membership)
    if scopes.others is None:
        found = found.filter(recipient=membership)
    return [b for b in found[:LISTED] if _may_see(membership, b, scopes)]


def bundle_for(membership: Membership, bundle_id: UUID) -> Bundle:
    """One of `bundles_of`, by its id; its page and its progress are behind this.

    Raises Refused for any other: absent, foreign, somebody else's, not granted any more.
    """
    bundle = _bundles(membership).filter(pk=bundle_id).first()
    if bundle is None or not _may_see(membership, bundle, _Scopes(membership)):
        raise Refused
    return bundle


class Unreachable(Exception):
    """The storage does not answer now; nothing was recorded, and nothing leaves."""


def artefact_for(membership: Membership, bundle_id: UUID) -> Artefact:
    """What the file of a finished bundle is. Raises Refused as `bundle_for` does, and where there
    is no file (any more).
    """
    bundle = bundle_for(membership, bundle_id)
    if not is_downloadable(bundle):
        raise Refused
    return bundle.artefact


def open_bundle(
    membership: Membership,
    bundle_id: UUID,
    *,
    part: range | None = None,
    request: HttpRequest | None = None,
) -> tuple[Artefact, BinaryIO]:
    """The file of a finished bundle, open at the first byte of `part` (None: all of it).

    The record of it, which says what leaves, belongs to the open transaction; that is to commit
    before the first byte does. Raises Refused as `artefact_for` does, and Unreachable.
    """
    artefact = artefact_for(membership, bundle_id)
    size = artefact.size_bytes
    part = range(size) if part is None else part
    cut = {"from": part.start, "until": part.stop, "of": size} if len(part) < size else {}
    try:
        file = storage.open_stored(artefact.path)
        file.seek(part.start)
    except FileNotFoundError:
        log.error("bundle %s: its file %s is gone", bundle_id, artefact.path)
        raise Refused from None
    except OSError as problem:
        raise Unreachable from problem
    try:
        record(
            "bundle.downloaded",
            actor=membership.user,
            partner=membership.partner,
            target=bundle_id,
            request=request,
            sha256=artefact.sha256,
            bytes=len(part),
            **cut,
        )
        mark_opened(membership, bundle_id)
    except BaseException:
        file.close()
        raise
    return artefact, file


def mark_opened(membership: Membership, bundle_id: UUID) -> None:
    """Note that its recipient has seen a finished bundle; staff who look in their place do not."""
    if membership.staff_view is None:
        Bundle.objects.filter(
            pk=bundle_id, recipient=membership, state=Job.State.DONE, opened_at__isnull=True
        ).update(opened_at=Now())


class Sending(Iterator[bytes]):
    """The bytes of an opened bundle, or of a part of it, on their way out, for as long as the
    member may have them.

    What `open_bundle` recorded is that all of these leave. Where fewer did, because the right ended
    or the reader went away, `close` records how many.
    """

    def __init__(
        self,
        membership: Membership,
        bundle_id: UUID,
        artefact: Artefact,
        file: BinaryIO,
        *,
        part: range | None = None,
        request: HttpRequest | None = None,
    ) -> None:
        self.membership, self.bundle_id, self.request = membership, bundle_id, request
        self.file, self.sent = file, 0
        self.size = artefact.size_bytes if part is None else len(part)
        self.why = "the reader went away"
        self.looked_at = time.monotonic()

    def __next__(self) -> bytes:
        """Raises Refused once the right has ended: the server breaks the connection off."""
        if time.monotonic() - self.looked_at >= LOOK_AGAIN_S:
            self._look_again()
        try:
            chunk = self.file.read(min(CHUNK, self.size - self.sent))
        except OSError:
            self.why = "the storage failed"
            raise
        if not chunk:
            self.why = "the file ended early"
            raise StopIteration
        self.sent += len(chunk)
        return chunk

    def close(self) -> None:
        if self.file.closed:
            return
        self.file.close()
        if self.sent == self.size:
            return
        with acting_as(WEB):  # a partner's role would not record what one did who has left it
            record(
                "bundle.cut",
                actor=self.membership.user,
                partner=self.membership.partner,
                target=self.bundle_id,
                request=self.request,
                bytes=self.size,
                sent=self.sent,
                why=self.why,
            )

    def _look_again(self) -> None:
        with self._as_partner():
            try:
                allowed = is_downloadable(bundle_for(self.membership, self.bundle_id))
            except Refused:
                allowed = False
            token = self.membership.credential
            if token is not None and not still_opens(token):
                allowed = False
        if not allowed:
            self.why = "not granted any more"
            raise Refused
        self.looked_at = time.monotonic()

    def _as_partner(self) -> AbstractContextManager[None]:
        """The request's own transaction has ended when its file is sent."""
        return acting_as(PARTNER, partner_id=self.membership.partner_id)


def is_downloadable(bundle: Bundle) -> bool:
    """Whether the bundle has a file, to whoever may see it."""
    return bundle.state == Job.State.DONE and bundle.purged_at is None


def purge() -> int:
    """Remove files that are too old or not granted to their recipient any more, and orphans.

    Returns how many bundles lost their file.
    """
    with acting_as(WORKER):
        kept = Bundle.objects.filter(state=Job.State.DONE, purged_at__isnull=True)
        too_old = set(
            kept.filter(done_at__lt=Now() - timedelta(days=settings.KEEP_BUNDLES_DAYS)).values_list(
                "pk", flat=True
            )
        )
        bundles = list(kept.select_related("artefact", "recipient", "partner"))
    purged = 0
    for bundle in bundles:
        with acting_as(WORKER):
            if bundle.pk not in too_old and covered(
                bundle, scope_for(bundle.recipient, EXIT, delivered=True)
            ):
                continue
            reason = "old" if bundle.pk in too_old else "not granted"
            Bundle.objects.filter(pk=bundle.pk).update(purged_at=Now())
            record(
                "bundle.purged", actor=None, partner=bundle.partner, target=bundle.pk, why=reason
            )
        purged += 1
    _forget_renderings()
    _remove_unnamed()
    return purged


def named_paths() -> tuple[set[str], set[str]]:
    """The paths of the files that a row keeps, and of those that one has given up."""
    with acting_as(WORKER):
        artefacts = list(Artefact.objects.values_list("path", "bundle__purged_at"))
        renderings = set(Rendering.objects.values_list("path", flat=True))
    kept = {path for path, purged_at in artefacts if purged_at is None} | renderings
    return kept, {path for path, _ in artefacts} - kept


def _forget_renderings() -> None:
    """Renderings of a week ago, and those of which every bundle has lost its file: what nobody
    may read any more is stamped for nobody.
    """
    with acting_as(WORKER):
        live = Bundle.objects.filter(rendering=OuterRef("pk"), purged_at__isnull=True)
        Rendering.objects.filter(
            Q(made_at__lt=Now() - timedelta(days=KEEP_RENDERINGS_DAYS))
            | (~Exists(live) & Q(made_at__lt=Now() - timedelta(seconds=ORPHAN_AFTER_S)))
        ).delete()


def _remove_unnamed() -> None:
    """Files that no row keeps: of purged ones at once, unknown ones after an hour."""
    kept, given_up = named_paths()
    before = time.time() - ORPHAN_AFTER_S
    for path, written in storage.lying():
        if path not in kept and (path in given_up or written < before):
            storage.remove(path)


class _Scopes:
    """The member's live scopes for own bundles and for those of others, worked out once."""

    def __init__(self, membership: Membership) -> None:
        self.own: Scope = scope_for(membership, EXIT, delivered=True)
        self.others: Scope | None = (
            scope_for(membership, EXIT) if membership.role == Membership.Role.OWNER else None
        )


def _may_see(membership: Membership, bundle: Bundle, scopes: _Scopes) -> bool:
    if bundle.partner_id != membership.partner_id:
        return False
    if bundle.recipient_id == membership.pk:
        return bundle.state != Job.State.DONE or covered(bundle, scopes.own)
    if scopes.others is None:
        return False
    return bundle.state == Job.State.DONE and covered(bundle, scopes.others)


def _bundles(membership: Membership) -> QuerySet[Bundle]:
    return (
        with_people(Bundle.objects.filter(partner_id=membership.partner_id), "recipient__user")
        .select_related("artefact", "run__schedule")
        .prefetch_related("deliveries")
        .order_by("-made_at", "-pk")
    )
