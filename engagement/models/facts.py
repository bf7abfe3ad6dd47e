"""One table of facts a family, and the unprotected partials they are made from.

Every fact carries its title, territory (`*` is all) and the days [from, until) it counts. No
role of the web can read these tables: it reads the views of partners/wall.py.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class Fact(models.Model):
    """What every fact has. The period is half-open, in reporting days."""

    title = models.ForeignKey("engagement.Title", models.PROTECT, related_name="+")
    territory = models.CharField(max_length=2)
    from_day = models.DateField(db_column="from")
    until = models.DateField()
    release = models.ForeignKey("engagement.Release", models.PROTECT, related_name="+")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.title_id} {self.territory} {self.from_day}..{self.until}"


def _period_is_not_empty(table: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(from_day__lt=F("until")), name=f"{table}_period_is_not_empty"
    )


class ViewingFact(Fact):
    """Money and people of one day (device `*`), or of one device over one published piece."""

    device = models.CharField(max_length=32)
    plays = models.BigIntegerField()
    viewers = models.BigIntegerField()
    watch_seconds = models.BigIntegerField()
    completions = models.BigIntegerField()
    finishers = models.BigIntegerField()

    class Meta:
        constraints = [
            _period_is_not_empty("viewing"),
            models.UniqueConstraint(
                fields=["title", "territory", "device", "from_day"], name="viewing_cell_once"
            ),
        ]


class ViewerSketch(Fact):
    """Who watched in one published piece, as theta sketches of keyed hashes.

    Only for counting people over more than a day; leaves through no exit.
    """

    viewers = models.BinaryField()
    finishers = models.BinaryField()

    class Meta:
        constraints = [
            _period_is_not_empty("viewer_sketch"),
            models.UniqueConstraint(
                fields=["title", "territory", "from_day"], name="viewer_sketch_cell_once"
            ),
        ]


class RetentionFact(Fact):
    """sessions, starts, stops, skips per content second of one published piece.

    `curves` is what engagement/curves.py packs, in that order.
    """

    plays = models.BigIntegerField()
    curves = models.BinaryField()

    class Meta:
        constraints = [
            _period_is_not_empty("retention"),
            models.UniqueConstraint(
                fields=["title", "territory", "from_day"], name="retention_cell_once"
            ),
        ]


class RewatchFact(Fact):
    """times_played, rewatches per content second of one published piece."""

    plays = models.BigIntegerField()
    curves = models.BinaryField()

    class Meta:
        constraints = [
            _period_is_not_empty("rewatch"),
            models.UniqueConstraint(
                fields=["title", "territory", "from_day"], name="rewatch_cell_once"
            ),
        ]


class DanmuFact(Fact):
    """Comments per content second written on one day; `unplaced` have no offset."""

    comments = models.BigIntegerField()
    unplaced = models.BigIntegerField()
    curves = models.BinaryField()

    class Meta:
        constraints = [
            _period_is_not_empty("danmu"),
            models.UniqueConstraint(
                fields=["title", "territory", "from_day"], name="danmu_cell_once"
            ),
        ]


class DanmuComment(Fact):
    """One live comment: masked, senderless, with its day (`from_day`).

    `repeats` counts the distinct senders of that text in the whole title. Text leaves the
    pages only where it repeats, is liked, or was picked by staff.
    """

    content_second = models.PositiveIntegerField(null=True)
    text = models.TextField()
    repeats = models.PositiveIntegerField()
    likes = models.PositiveIntegerField()
    picked = models.BooleanField(default=False)

    class Meta:
        constraints = [_period_is_not_empty("danmu_comment")]
        indexes = [models.Index(fields=["title", "content_second"], name="danmu_comment_at")]


class DayPartial(models.Model):
    """The unprotected roll-up of one title, day, territory and device.

    The pipeline's own: publishing reads it, nothing else does.
    """

    title = models.ForeignKey("engagement.Title", models.PROTECT, related_name="+")
    day = models.DateField()
    territory = models.CharField(max_length=2)
    device = models.CharField(max_length=32)
    plays = models.BigIntegerField()
    viewers = models.BigIntegerField()
    watch_seconds = models.BigIntegerField()
    completions = models.BigIntegerField()
    finishers = models.BigIntegerField()
    curves = models.BinaryField()
    viewer_sketch = models.BinaryField()
    finisher_sketch = models.BinaryField()
    content_sketch = models.BinaryField(
        help_text="Of (viewer, what was played): tells how many viewers a new file changes."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["title", "day", "territory", "device"], name="partial_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.title_id} {self.day} {self.territory} {self.device}"


class PublishedPiece(Fact):
    """One piece as it stands published: which devices it shows and who played what in it.

    The pipeline's own. What changed in a piece is told by `content` against the day partials of
    today; `waiting` counts the viewers changed since, while they are too few to replace it.
    """

    devices = models.JSONField(default=list)
    content = models.BinaryField()
    waiting = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            _period_is_not_empty("published_piece"),
            models.UniqueConstraint(
                fields=["title", "territory", "from_day"], name="published_piece_once"
            ),
        ]
