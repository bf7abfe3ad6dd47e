"""A bundle's file by token: who may have it, and that it is recorded as the page's download is."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from engagement.scope import Refused, Window
from partners import credentials, grants, narrowing
from partners.models import AuditEvent
from reports import downloads
from reports.build import build
from reports.models import Bundle
from reports.plan import ask_bundle
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.files import without_rendering
from tests.portal.test_tokens import WHOLE
from tests.portal.tokens import API, by, made


@pytest.fixture
def bundle(cast: Cast, storage: object, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """Of the film alone, finished, for Alice, who makes the tokens."""
    without_rendering(monkeypatch)
    return _made(cast, WHOLE)


def _made(cast: Cast, window: Window) -> Bundle:
    asked = ask_bundle(membership=cast.alice, titles=[cast.film.pk], window=window, language="en")
    assert build(asked.pk)
    return Bundle.objects.get(pk=asked.pk)


def address(bundle: Bundle) -> str:
    return f"{API}bundles/{bundle.pk}/download/"


def opens(program: Client, bundle: Bundle) -> bool:
    answer: Any = program.get(address(bundle))
    return answer.status_code == 200 and bool(b"".join(answer.streaming_content))


def test_the_url_that_a_token_is_told_opens_for_it(cast: Cast, bundle: Bundle) -> None:
    credential, token = made(cast.alice)
    [listed] = by(token).get(f"{API}bundles/").json()["bundles"]
    assert listed["file"]["url"] == address(bundle)
    answer: Any = by(token).get(listed["file"]["url"])
    content = b"".join(answer.streaming_content)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    assert hashlib.sha256(content).hexdigest() == listed["file"]["sha256"]
    assert len(content) == listed["file"]["bytes"] == int(answer["Content-Length"])
    event = AuditEvent.objects.get(action="bundle.downloaded")
    assert (event.actor, event.partner, event.target) == (
        cast.alice.user, cast.aurora, str(bundle.pk),
    )  # fmt: skip
    assert event.detail == {
        "sha256": bundle.artefact.sha256,
        "bytes": len(content),
        "credential": credential.prefix,
    }
    # a member's session is told the same address, and whoever names the type gets it as well
    session: Any = SignedIn(cast.alice.user).get(
        address(bundle), headers={"accept": "application/zip"}
    )
    assert b"".join(session.streaming_content) == content


def test_a_token_for_less_is_answered_as_one_for_a_bundle_that_is_not(
    cast: Cast, bundle: Bundle
) -> None:
    """Without files, for some families, of another partner or maker; and without the exit `api`."""
    everything = by(made(cast.alice)[1])
    assert opens(everything, bundle)
    unknown = everything.get(f"{API}bundles/{uuid4()}/download/")
    programs = [
        by(made(cast.alice, exits=("api",))[1]),
        by(made(cast.alice, families=["viewing"])[1]),
        by(made(cast.bob)[1]),
    ]
    for program in programs:
        answer = program.get(address(bundle))
        assert (answer.status_code, answer.content) == (404, unknown.content)
        listed = program.get(f"{API}bundles/")
        assert listed.status_code == 404 or listed.json() == {"bundles": []}
    terms = grants.Terms.of(cast.grants["film"])
    left = grants.Terms(**{**vars(terms), "exits": frozenset({"web", "export", "email"})})
    narrowing.narrow(cast.grants["film"], left, by=cast.sam)
    assert everything.get(address(bundle)).status_code == 404
    assert opens(SignedIn(cast.alice.user), bundle)


def test_revoking_the_token_cuts_a_download_that_is_under_way(
    cast: Cast, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "LOOK_AGAIN_S", 0)
    monkeypatch.setattr(downloads, "CHUNK", 10)
    credential, token = made(cast.alice)
    answer: Any = by(token).get(address(bundle))
    sent = iter(answer.streaming_content)
    assert len(next(sent)) == 10
    credentials.revoke(credential, by=cast.alice.user)
    with pytest.raises(Refused):
        next(sent)
    assert AuditEvent.objects.get(action="bundle.cut").detail["sent"] == 10
