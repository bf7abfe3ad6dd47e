"""Reports that are encrypted for their reader and signed by the platform, as a partner asks."""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from asn1crypto import pem, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pytest_django.fixtures import Settings

from partners.models import Membership
from portal import checks
from reports import passwords, signing
from reports.models import ReportPassword
from reports.render.bundle import Bundle
from reports.render.encryption import encrypted
from reports.render.signature import NoSigner, Signer, signed
from reports.render.stamp import stamped
from tests.cast import Cast
from tests.reports.test_renderings import archive_of, made
from tests.reports.test_stamp import MARK

PASSWORD = "kq3m-7dpa-xx9c-fhjk-2222"


@pytest.fixture
def pdf(english: Bundle) -> bytes:
    return stamped(english.members[0].content, MARK)


@pytest.fixture
def signer(settings: Settings, tmp_path: Path) -> Signer:
    (tmp_path / "fonts").symlink_to(Path(settings.VAR) / "fonts")
    settings.VAR = tmp_path
    return signing.signer()


def verdict(pdf: bytes, signer: Signer, password: str | None = None) -> Any:
    reader = PdfFileReader(io.BytesIO(pdf))
    if password is not None:
        reader.decrypt(password)
    [signature] = reader.embedded_signatures
    root = x509.Certificate.load(pem.unarmor(signer.certificates)[2])
    context = ValidationContext(trust_roots=[root], allow_fetching=False)
    return validate_pdf_signature(signature, context)


def test_it_opens_with_the_password_alone_and_by_aes_256(pdf: bytes, tmp_path: Path) -> None:
    closed = encrypted(pdf, PASSWORD)
    assert closed != encrypted(pdf, PASSWORD)
    for wrong in ("", "x", PASSWORD[:-1], PASSWORD.upper()):
        with pytest.raises(pikepdf.PasswordError):
            pikepdf.open(io.BytesIO(closed), password=wrong)
    with pikepdf.open(io.BytesIO(closed), password=PASSWORD) as document:
        assert (document.encryption.R, document.encryption.bits) == (6, 256)
        assert document.user_password_matched
        assert document.allow.accessibility
    path = tmp_path / "closed.pdf"
    path.write_bytes(closed)
    read = subprocess.run(
        ["pdftotext", "-upw", PASSWORD, str(path), "-"], capture_output=True, check=True
    )
    assert "Amélie" in read.stdout.decode()
    assert "Amélie".encode() not in closed
    assert subprocess.run(["pdftotext", str(path), "-"], capture_output=True).returncode != 0


def test_a_signature_holds_over_the_whole_file_and_one_flipped_bit_breaks_it(
    pdf: bytes, signer: Signer
) -> None:
    whole = signed(pdf, signer, name="Dailies")
    found = verdict(whole, signer)
    assert found.bottom_line
    assert found.coverage.name == "ENTIRE_FILE"
    assert whole.startswith(pdf)
    broken = bytearray(whole)
    broken[len(pdf) // 2] ^= 1
    try:
        assert not verdict(bytes(broken), signer).bottom_line
    except Exception as problem:  # a file that is no PDF any more is no signed one either
        assert "pyhanko" in type(problem).__module__  # noqa: PT017


def test_both_together_validate_and_open_with_the_password(pdf: bytes, signer: Signer) -> None:
    both = signed(encrypted(pdf, PASSWORD), signer, name="Dailies", password=PASSWORD)
    found = verdict(both, signer, PASSWORD)
    assert found.bottom_line
    assert found.coverage.name == "ENTIRE_FILE"
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(io.BytesIO(both))
    with pikepdf.open(io.BytesIO(both), password=PASSWORD) as document:
        assert document.encryption.R == 6
    broken = bytearray(both)
    broken[-2000] ^= 1
    assert both != bytes(broken)


def test_who_signs_in_a_running_loop_is_told(pdf: bytes, signer: Signer) -> None:
    """pyHanko runs a loop of its own: reports are signed in workers, where none runs."""

    async def inside() -> None:
        signed(pdf, signer, name="Dailies")

    with pytest.raises(RuntimeError, match="event loop"):
        asyncio.run(inside())


def test_the_own_key_is_made_once_and_kept_from_others(signer: Signer, tmp_path: Path) -> None:
    assert signing.signer() == signer
    signer.check()
    assert (tmp_path / "secrets" / "report-signing.pem").stat().st_mode & 0o077 == 0


def test_production_says_what_to_set_before_a_partner_waits_for_a_signature(
    cast: Cast, settings: Settings, signer: Signer
) -> None:
    settings.PRODUCTION = True
    assert checks.signing(databases=["default"]) == []
    cast.aurora.sign_reports = True
    cast.aurora.save()
    [error] = checks.signing(databases=["default"])
    assert (error.id, "aurora" in error.msg) == ("dailies.E013", True)
    assert "REPORT_SIGNING_KEY" in str(error.hint)
    with pytest.raises(NoSigner, match="REPORT_SIGNING_KEY"):
        signing.signer()
    settings.REPORT_SIGNING_KEY = signer.key.decode()
    other = signing.self_signed("x")
    settings.REPORT_SIGNING_CERTIFICATE = other[other.index(b"-----BEGIN CERT") :].decode()
    assert "dailies.E012" in {problem.id for problem in checks.production_settings()}
    settings.REPORT_SIGNING_CERTIFICATE = signer.certificates.decode()
    assert "dailies.E012" not in {problem.id for problem in checks.production_settings()}
    assert checks.signing(databases=["default"]) == []
    assert signing.signer() == signer


def test_each_recipient_has_a_report_that_only_their_own_password_opens(
    cast: Cast, rendered: Any, signer: Signer, english: Bundle
) -> None:
    cast.aurora.encrypt_reports = cast.aurora.sign_reports = True
    cast.aurora.save()
    cast.alice.refresh_from_db()
    cast.amy.refresh_from_db()
    files = {m: archive_of(made(m, cast.film.pk)) for m in (cast.alice, cast.amy)}
    assert len(rendered) == 1
    for member, archive in files.items():
        pdf = archive.read("report.pdf")
        password = passwords.password_of(member)
        assert re.fullmatch(r"([a-z2-9]{4}-){4}[a-z2-9]{4}", password)
        assert verdict(pdf, signer, password).bottom_line
        assert password.encode() not in b"".join(archive.read(n) for n in archive.namelist())
        for other in {cast.alice, cast.amy} - {member}:
            with pytest.raises(pikepdf.PasswordError):
                pikepdf.open(io.BytesIO(pdf), password=passwords.password_of(other))
    assert not ReportPassword.objects.filter(enciphered__contains=password).exists()


def test_what_is_not_asked_for_is_not_done(cast: Cast, rendered: Any) -> None:
    bundle = made(cast.alice, cast.film.pk)
    with pikepdf.open(io.BytesIO(archive_of(bundle).read("report.pdf"))) as document:
        assert not document.is_encrypted
        assert "/AcroForm" not in document.Root
    assert not ReportPassword.objects.exists()


def test_a_password_outlives_a_change_of_the_secret_key_by_its_fallback(
    cast: Cast, settings: Settings
) -> None:
    before: Membership = cast.alice
    password = passwords.password_of(before)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 8
    assert passwords.password_of(before) == password
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(passwords.Unreadable):
        passwords.password_of(before)
