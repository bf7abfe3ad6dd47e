"""Our own encryption of a report, beside what other programs make of the same file."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest

from reports.render.bundle import Bundle
from reports.render.encryption import NotOurs, encrypted, hardened
from reports.render.stamp import stamped
from tests.reports.test_stamp import MARK

PASSWORD = "kq3m-7dpa-xx9c-fhjk-2222"


@pytest.fixture(scope="module")
def pdf(english: Bundle) -> bytes:
    return stamped(english.members[0].content, MARK)


@pytest.fixture(scope="module")
def closed(pdf: bytes) -> bytes:
    return encrypted(pdf, PASSWORD)


def told(value: Any) -> Any:
    """An object without the numbers of others, its stream as it is packed."""
    if isinstance(value, pikepdf.Stream):
        about = {k: told(v) for k, v in value.stream_dict.items() if k != "/Length"}
        return about, value.read_raw_bytes()
    if isinstance(value, pikepdf.Object) and value.is_indirect:
        return value.objgen
    if isinstance(value, pikepdf.Dictionary):
        return {k: told(v) for k, v in value.items()}
    if isinstance(value, pikepdf.Array):
        return [told(v) for v in value]
    return bytes(value) if isinstance(value, pikepdf.String) else value


def test_every_object_is_what_it_was(pdf: bytes, closed: bytes) -> None:
    with (
        pikepdf.open(io.BytesIO(pdf)) as before,
        pikepdf.open(io.BytesIO(closed), password=PASSWORD) as after,
    ):
        assert not after.check_pdf_syntax()
        extensions = after.Root.Extensions
        assert int(extensions.ADBE.ExtensionLevel) == 8
        del after.Root.Extensions
        count = int(before.trailer.Size)
        compared = 0
        for number in range(1, count):
            was, now = before.get_object(number, 0), after.get_object(number, 0)
            if isinstance(was, pikepdf.Stream) and was.get("/Type") in ("/XRef", "/ObjStm"):
                continue
            assert _inside(now) == _inside(was), number
            compared += 1
        assert compared > 500
        assert after.trailer.ID[0] == before.trailer.ID[0]


def _inside(value: Any) -> Any:
    """As `told`, of an object that is itself indirect."""
    if isinstance(value, pikepdf.Stream):
        return told(value)
    if isinstance(value, pikepdf.Dictionary):
        return {k: told(v) for k, v in value.items()}
    if isinstance(value, pikepdf.Array):
        return [told(v) for v in value]
    return bytes(value) if isinstance(value, pikepdf.String) else value


def test_poppler_and_pdfium_read_the_same_as_before(
    pdf: bytes, closed: bytes, tmp_path: Path
) -> None:
    (tmp_path / "open.pdf").write_bytes(pdf)
    (tmp_path / "closed.pdf").write_bytes(closed)
    texts = [
        subprocess.run(
            ["pdftotext", *password, str(tmp_path / name), "-"], capture_output=True, check=True
        )
        for name, password in (("open.pdf", []), ("closed.pdf", ["-upw", PASSWORD]))
    ]
    assert texts[0].stdout == texts[1].stdout
    assert "Amélie" in texts[1].stdout.decode()
    assert not texts[1].stderr
    pages = [
        [page.get_textpage().get_text_bounded() for page in document]
        for document in (pypdfium2.PdfDocument(pdf), pypdfium2.PdfDocument(closed, PASSWORD))
    ]
    assert pages[0] == pages[1]
    with pytest.raises(pypdfium2.PdfiumError):
        pypdfium2.PdfDocument(closed, PASSWORD[:-1])


def test_no_stream_and_no_text_stands_open(pdf: bytes, closed: bytes) -> None:
    with pikepdf.open(io.BytesIO(pdf)) as document:
        streams = [s.read_raw_bytes() for s in document.objects if isinstance(s, pikepdf.Stream)]
        texts = [str(document.trailer.Info.Title), MARK.bundle_id]
        names = [str(name) for name in list(document.Root.Names.Dests.Names)[::2]]
    assert len(streams) > 50
    assert len(names) > 5
    for content in streams:
        assert content[:24] not in closed
    for text in [*texts, *names]:
        assert text.encode() not in closed
        assert text.encode("utf-16-be") not in closed


def test_two_recipients_share_no_encrypted_block(pdf: bytes, closed: bytes) -> None:
    other = encrypted(pdf, PASSWORD)
    *streams, _table = closed.split(b">>\nstream\n")[1:]
    assert len(streams) > 50
    assert not [content for content in streams if content[:16] in other]


def test_the_hardened_password_is_that_of_other_programs() -> None:
    for password in ("", "x", PASSWORD, "口令" * 20):
        out = io.BytesIO()
        with pikepdf.new() as document:
            document.save(out, encryption=pikepdf.Encryption(user=password, owner="o", R=6))
        with pikepdf.open(io.BytesIO(out.getvalue()), password=password) as document:
            user, owner = (bytes(document.trailer.Encrypt[name])[:48] for name in ("/U", "/O"))
        assert hardened(password.encode()[:127], user[32:40]) == user[:32]
        assert hardened(b"o", owner[32:40], user) == owner[:32]


@pytest.mark.parametrize(
    "mode", [pikepdf.ObjectStreamMode.disable, pikepdf.ObjectStreamMode.generate]
)
def test_a_file_of_another_form_is_refused_and_not_half_encrypted(
    pdf: bytes, mode: pikepdf.ObjectStreamMode
) -> None:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        document.Root.Told = document.make_stream(b"x", Text=pikepdf.String("open"))
        document.save(out, object_stream_mode=mode)
    with pytest.raises(NotOurs, match="table" if mode.name == "disable" else "text beside it"):
        encrypted(out.getvalue(), PASSWORD)


def test_what_is_encrypted_or_cut_is_refused(pdf: bytes, closed: bytes) -> None:
    with pytest.raises(NotOurs):
        encrypted(closed, PASSWORD)
    for end in (len(pdf) // 2, len(pdf) - 40):
        with pytest.raises(NotOurs):
            encrypted(pdf[:end], PASSWORD)
    with pytest.raises(NotOurs):
        encrypted(b"", PASSWORD)
