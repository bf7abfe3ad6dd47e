"""After a backup was put back: what was taken away since is taken away again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from partners import anchor, revocations
from partners.models import User
from partners.sealing import OutOfStep


class Command(BaseCommand):
    help = (
        "After a backup was put back, before the site starts: take away again what AUDIT_ANCHOR "
        "says was taken since, end every session, and go on with the audit trail from there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--by", required=True, metavar="EMAIL", help="who puts it back")
        parser.add_argument("--dry-run", action="store_true", help="show what it would do")

    def handle(self, *args: Any, **options: Any) -> None:
        by = User.objects.filter(email__iexact=options["by"], is_staff=True).first()
        if by is None:
            raise CommandError(f"there is no member of staff {options['by']}")
        try:
            replayed = revocations.replay(by=by, dry_run=options["dry_run"])
        except (OutOfStep, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        except anchor.Busy:
            raise CommandError("a sealer is at work: stop the workers first") from None
        if replayed is None:
            self.stdout.write("the database has lost nothing that was anchored")
            return
        for said in replayed.done:
            self.stdout.write(f"taken again: {said}")
        for said in replayed.by_hand:
            self.stdout.write(f"look at it yourself: {said}")
        self.stdout.write(
            f"{replayed.lost_seals} seals lost after seal {replayed.restored_from};"
            f" {len(replayed.done)} taken again, {len(replayed.by_hand)} to look at,"
            f" {replayed.sessions} sessions ended"
        )
        if options["dry_run"]:
            self.stdout.write("nothing was changed (--dry-run)")
