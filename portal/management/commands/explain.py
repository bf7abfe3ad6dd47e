"""manage.py explain PARTNER [--member EMAIL] [--title SLUG ...]: why, and what exactly."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone, translation

from engagement.families.registry import FAMILIES
from engagement.models import Title
from engagement.roles import STAFF, acting_as
from engagement.scope import ALL, EVER, EXITS
from partners import explain
from partners.blocks import NO_END, Piece
from partners.models import Membership, Partner


class Command(BaseCommand):
    help = (
        "Say exactly what a partner or a member may see now; with --title, why they see it or not"
        " (then exits 1 where they do not)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("partner", help="its slug")
        parser.add_argument("--member", metavar="EMAIL")
        parser.add_argument("--title", metavar="SLUG")
        parser.add_argument("--family", choices=FAMILIES, default=FAMILIES[0])
        parser.add_argument("--territory", default=ALL)
        parser.add_argument("--day", type=date.fromisoformat, default=None)
        parser.add_argument("--exit", choices=EXITS, default=EXITS[0])

    def handle(self, *args: Any, **options: Any) -> None:
        with acting_as(STAFF), translation.override("en"):
            partner = _one(Partner, f"no partner {options['partner']}", slug=options["partner"])
            member = options["member"] and _one(
                Membership,
                f"{options['member']} is no member of {partner.slug}",
                partner=partner,
                user__email__iexact=options["member"],
            )
            if not options["title"]:
                self._what(partner, member or None)
                return
            title = _one(Title, f"no title {options['title']}", slug=options["title"])
            answer = explain.why(
                explain.Question(
                    partner=partner,
                    title=title,
                    family=options["family"],
                    territory=options["territory"],
                    day=options["day"] or timezone.localdate(),
                    exit=options["exit"],
                    member=member or None,
                )
            )
            self._why(answer)
        if not answer.sees:
            raise SystemExit(1)

    def _what(self, partner: Partner, member: Membership | None) -> None:
        pieces = explain.what(partner, member)
        slugs = dict(Title.objects.values_list("pk", "slug"))
        for piece in pieces:
            self.stdout.write(f"{slugs[piece.title_id]}  {_in_words(piece)}")
        if not pieces:
            self.stdout.write("nothing")

    def _why(self, answer: explain.Answer) -> None:
        self.stdout.write("sees it" if answer.sees else "does not see it")
        self._conditions(answer.of_person)
        for reason in answer.reasons:
            opens = "opens it" if reason.opens else "does not open it"
            self.stdout.write(f"{reason.grant.contract_reference} ({reason.grant.pk}): {opens}")
            self._conditions(reason.conditions)
        if not answer.reasons:
            self.stdout.write("no grant of this partner speaks of this title")

    def _conditions(self, conditions: tuple[explain.Condition, ...]) -> None:
        for condition in conditions:
            self.stdout.write(f"  {'yes' if condition.passed else 'NO '}  {condition.words}")


def _one(model: Any, missing: str, **by: Any) -> Any:
    found = model.objects.filter(**by).first()
    if found is None:
        raise CommandError(missing)
    return found


def _in_words(piece: Piece) -> str:
    window, until = piece.box.window, piece.box.valid_until
    since = "" if window.since == EVER.since else f"{window.since}"
    last = "" if window.until == EVER.until else f"{window.until}"
    days = f"{since}..{last}" if since or last else "all days"
    parts = [",".join(p) for p in (piece.families, piece.territories, piece.exits)]
    ends = "" if until == NO_END else f"  until {timezone.localtime(until):%Y-%m-%d %H:%M}"
    return "  ".join((*parts, days)) + ends
