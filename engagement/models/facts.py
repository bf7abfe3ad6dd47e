"""One table of facts a family, and the unprotected partials they are made from.

Every fact carries its title, territory (`*` is all) and the days [from, until) it counts. No
role of the web can read these tables: it reads the views of partners/wall.py.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
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


def _children() -> ArrayField:
    """The children that a series' own row counts: it is read by who is granted each of them."""
    return ArrayField(models.BigIntegerField(), null=True, blank=True)


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
    carried_on = models.BigIntegerField(null=True)
    counted = _children()

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
    counted = _children()

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
    phrases = ArrayField(models.CharField(max_length=64), default=list)

    class Meta:
        constraints = [_period_is_not_empty("danmu_comment")]
        indexes = [models.Index(fields=["title", "content_second"], name="danmu_comment_at")]


class DiscussionFact(Fact):
    """Posts and replies written on the title's page on one day."""

    posts = models.BigIntegerField()
    replies = models.BigIntegerField()
    likes = models.BigIntegerField()

    class Meta:
        constraints = [
            _period_is_not_empty("discussion"),
            models.UniqueConstraint(
                fields=["title", "territory", "from_day"], name="discussion_cell_once"
            ),
        ]


class DiscussionPost(Fact):
    """One live post: masked, authorless, with its day (`from_day`). Leaves as danmu do."""

    text = models.TextField()
    repeats = models.PositiveIntegerField()
    likes = models.PositiveIntegerField()
    replies = models.PositiveIntegerField()
    picked = models.BooleanField(default=False)

    class Meta:
        constraints = [_period_is_not_empty("discussion_post")]
        indexes = [models.Index(fields=["title", "from_day"], name="discussion_post_of_day")]


class SharingFact(Fact):
    """Links passed on by one channel on one day, and the visits that came back.

    `visits` is None where a share of the row came without a number of visits. `new_viewers`
    counts the days [new_since, until), as one piece of at least the floor, of which those are
    left out on which the channel's new viewers were not measured.
    """

    channel = models.CharField(max_length=64)
    shares = models.BigIntegerField()
    visits = models.BigIntegerField(null=True)
    new_viewers = models.BigIntegerField(null=True)
    new_since = models.DateField(null=True)
    new_viewers_measured = models.BooleanField(default=True)

    class Meta:
        constraints = [
            _period_is_not_empty("sharing"),
            models.UniqueConstraint(
                fields=["title", "territory", "channel", "from_day"], name="sharing_cell_once"
            ),
        ]


class SharingOffset(Fact):
    """Shares per content second of one day; `unplaced` have no offset."""

    shares = models.BigIntegerField()
    unplaced = models.BigIntegerField()
    curves = models.BinaryField()

    class Meta:
        constraints = [
            _period_is_not_empty("sharing_offset"),
            models.UniqueConstraint(
                fields=["title", "territory", "from_day"], name="sharing_offset_cell_once"
            ),
        ]


class PeopleFact(Fact):
    """Who they are over one published period: a function of a NoisedTable alone.

    `territory` is one of the title's Holdings, `other` (the rest together) or `*`. `survival`
    is the share of viewers that reached each of 20 parts, None where it is too uncertain.
    """

    territory = models.CharField(max_length=8)
    viewers = models.BigIntegerField(null=True)
    finishers = models.BigIntegerField(null=True)
    survival = ArrayField(models.FloatField(), null=True)
    hidden_reason = models.CharField(max_length=200, blank=True)
    counted = _children()

    class Meta:
        abstract = True


class DemographicsFact(PeopleFact):
    """One age band (or several merged: `18-30`) and gender."""

    age_band = models.CharField(max_length=32)
    gender = models.CharField(max_length=16)

    class Meta:
        constraints = [
            _period_is_not_empty("demographics"),
            models.UniqueConstraint(
                fields=["title", "territory", "from_day", "age_band", "gender"],
                name="demographics_cell_once",
            ),
        ]


class GeographyFact(PeopleFact):
    """One region, or a greater area that regions were merged to."""

    region = models.CharField(max_length=64)

    class Meta:
        constraints = [
            _period_is_not_empty("geography"),
            models.UniqueConstraint(
                fields=["title", "territory", "from_day", "region"], name="geography_cell_once"
            ),
        ]


class FanbaseFact(Fact):
    """What a title's viewers of one period have in common with a fan set.

    A row made for one partner (own titles, or by a consent given to it) carries `partner_id`
    and is read by nobody else.
    """

    territory = models.CharField(max_length=8)
    fan_set = models.ForeignKey("engagement.FanSetVersion", models.PROTECT, related_name="+")
    partner_id = models.UUIDField(null=True)
    viewers_in_common = models.BigIntegerField(null=True)
    share_of_title = models.FloatField(null=True)
    share_of_fan_set = models.FloatField(null=True)
    lift = models.FloatField(null=True)
    lift_low = models.FloatField(null=True)
    lift_high = models.FloatField(null=True)
    hidden_reason = models.CharField(max_length=200, blank=True)
    counted = _children()

    class Meta:
        constraints = [
            _period_is_not_empty("fanbase"),
            models.UniqueConstraint(
                fields=["title", "territory", "from_day", "fan_set", "partner_id"],
                name="fanbase_cell_once",
                nulls_distinct=False,
            ),
        ]


class TypicalFact(Fact):
    """The median curve of titles like this one, per content second of this title.

    `curves` is one series in parts per million; empty with `hidden_reason` where too few
    partners stand behind it. `like` says what was alike: kind, genre, runtime band.
    """

    family = models.CharField(max_length=16)
    curves = models.BinaryField()
    like = models.JSONField(default=dict)
    titles = models.PositiveIntegerField()
    partners = models.PositiveIntegerField()
    hidden_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            _period_is_not_empty("typical"),
            models.UniqueConstraint(
                fields=["title", "territory", "family", "from_day"], name="typical_cell_once"
            ),
        ]


class NoisedTable(models.Model):
    """One draw of noise: what the published people facts of a title and period are made of.

    The publisher's own, and the ledger of epsilon: one row a draw, never changed. Without a
    title it is of the whole platform: its viewers, or with a fan set those fans among them.
    `plays` are the exact plays of the period when it was drawn. `noised` is what
    pipeline/people.py packs.
    """

    title = models.ForeignKey("engagement.Title", models.PROTECT, null=True, related_name="+")
    fan_set = models.ForeignKey(
        "engagement.FanSetVersion", models.PROTECT, null=True, related_name="+"
    )
    family = models.CharField(max_length=16)
    from_day = models.DateField(db_column="from")
    until = models.DateField()
    draw = models.PositiveSmallIntegerField()
    plays = models.BigIntegerField()
    epsilon = models.FloatField()
    noised = models.BinaryField()
    drawn_at = models.DateTimeField(auto_now_add=True)
    changed_plays = models.BigIntegerField(
        default=0, help_text="Plays added or taken away since, by changes too small to draw again."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["title", "fan_set", "family", "from_day", "until", "draw"],
                name="draw_once",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.family} {self.title_id} {self.from_day} draw {self.draw}"


class Restatement(Fact):
    """A settled number that was published and has changed: old and new."""

    family = models.CharField(max_length=16)
    metric = models.CharField(max_length=32)
    old = models.BigIntegerField(null=True)
    new = models.BigIntegerField(null=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["title", "at"], name="restatement_of_title")]


class Adjustment(Fact):
    """A change of a closed month, beside its settled numbers: old, new and difference."""

    family = models.CharField(max_length=16)
    metric = models.CharField(max_length=32)
    old = models.BigIntegerField()
    new = models.BigIntegerField()
    difference = models.BigIntegerField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["title", "at"], name="adjustment_of_title")]


class DayPartial(models.Model):
    """The unprotected roll-up of one title, day, territory and device.

    The pipeline's own: publishing reads it, nothing else does.
    """

    # `partial_once` begins with it; and to look every row's title up again would take a third of
    # the swap of a day: the pipeline, which alone writes here, has just read the title
    title = models.ForeignKey(
        "engagement.Title", models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
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
