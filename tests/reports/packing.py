"""Partners whose titles have one name, one window and the same numbers of rows, each with canaries.

A canary is a stem in every name and text of one partner, and a number that is in all of its
counts: none of them may be in anything that another partner gets.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage

import pikepdf
import pyarrow.parquet as pq
from django.db.models import Value
from django.db.models.functions import Concat

from engagement.models import DanmuComment, DiscussionPost, Title
from partners.models import Holding, Membership, Partner, User
from tests.cast import SECONDS, Cast, write_facts


@dataclass(frozen=True)
class Packed:
    """One partner of the packing test."""

    n: int
    partner: Partner
    title: Title
    members: tuple[Membership, ...]

    @property
    def stem(self) -> str:
        return stem_of(self.n)

    @property
    def plays(self) -> int:
        """Of each day, over all territories: `write_facts` has half as many in SG as in CN."""
        return base_of(self.n) + base_of(self.n) // 2

    def canaries(self) -> tuple[str, ...]:
        """What stands in its files and mails, and must stand in nobody else's."""
        numbers = (base_of(self.n), self.plays, 10 * self.plays)
        return (self.stem, *map(str, numbers), *(f"{n:,}" for n in numbers))


def stem_of(n: int) -> str:
    return f"QZK{n:03}X"


def base_of(n: int) -> int:
    return 7_100_003 + 13_577 * n


def packed(cast: Cast, partners: int, members: int) -> list[Packed]:
    return [_packed(cast, n, members) for n in range(partners)]


def _packed(cast: Cast, n: int, members: int) -> Packed:
    stem = stem_of(n)
    partner = Partner.objects.create(slug=f"packed-{n:03}", name_zh=f"{stem}影业", name_en=stem)
    title = Title.objects.create(
        key=f"same-{n}", slug=f"same-{n:03}", kind="film", name_zh="同名", name_en="Same Name",
        runtime_s=SECONDS,
    )  # fmt: skip
    write_facts(title, base=base_of(n))
    for model in (DanmuComment, DiscussionPost):
        model.objects.filter(title=title).update(text=Concat(Value(f"{stem}-"), "text"))
    DanmuComment.objects.filter(title=title).update(phrases=[f"{stem}-哈哈哈"])
    Holding.objects.create(partner=partner, title=title, territories=["*"])
    cast.grant(partner, title)
    people = [
        User.objects.create_user(f"{stem.lower()}-{m}@example.com", name=f"{stem} {m}")
        for m in range(members)
    ]
    places = [
        Membership.objects.create(user=user, partner=partner, role="owner" if m == 0 else "analyst")
        for m, user in enumerate(people)
    ]
    return Packed(n, partner, title, tuple(places))


def words_of_bundle(content: bytes, text_of: Callable[[bytes], str]) -> dict[str, str]:
    """All that a reader of the zip can find, by member: text, metadata, names, properties."""
    found: dict[str, str] = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found["names"] = " ".join(archive.namelist()) + repr(archive.comment)
        for name in archive.namelist():
            member = archive.read(name)
            if name.endswith(".pdf"):
                found[name] = text_of(member) + _about_pdf(member)
            elif name.endswith(".xlsx"):
                found[name] = _parts(member)
            elif name.endswith(".parquet"):
                table = pq.read_table(io.BytesIO(member))
                found[name] = f"{table.schema.metadata} {table.schema} {table.to_pylist()}"
            else:
                found[name] = member.decode("utf-8-sig")
    return found


def words_of_mail(message: EmailMessage) -> str:
    """Headers and every part as text."""
    parts = [str(message.items())]
    for part in message.walk():
        if part.get_content_maintype() == "text":
            parts.append(str(part.get_content()))
    return "\n".join(parts)


def _about_pdf(content: bytes) -> str:
    with pikepdf.open(io.BytesIO(content)) as document:
        about = [f"{key}={value}" for key, value in document.docinfo.items()]
        with document.open_metadata() as metadata:
            about.append(str(metadata))
        about += [str(name) for name in document.attachments]
        about += [
            attached.get_file().read_bytes().decode("utf-8", "replace")
            for attached in document.attachments.values()
        ]
    return "\n".join(about)


def _parts(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return "\n".join(f"{n}\n{archive.read(n).decode()}" for n in archive.namelist())
