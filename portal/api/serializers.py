"""The shapes of the answers, for the OpenAPI document. The views build them as plain dicts."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from reports.ledger import State
from reports.models import FORMATS, PAPERS, REPORT_LANGUAGES, Schedule


class Period(serializers.Serializer[Any]):
    """The days [from, until). `from` is no name that a class can have."""

    until = serializers.DateField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        return {"from": serializers.DateField(allow_null=fields["until"].allow_null), **fields}


class Block(Period):
    territory = serializers.CharField()
    until = serializers.DateField(allow_null=True)


class TitleShape(serializers.Serializer[Any]):
    slug = serializers.CharField()
    kind = serializers.ChoiceField(["film", "series", "episode", "trailer"])
    name_zh = serializers.CharField()
    name_en = serializers.CharField()
    runtime_s = serializers.IntegerField()
    released_on = serializers.DateField(allow_null=True)
    parent = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    sample = serializers.BooleanField()
    data_from = serializers.DateField(allow_null=True)
    data_through = serializers.DateField(allow_null=True)
    families = serializers.DictField(child=Block(many=True))


class TitleList(serializers.Serializer[Any]):
    titles = TitleShape(many=True)


class ColumnShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    type = serializers.CharField()
    unit = serializers.CharField()
    title = serializers.DictField(child=serializers.CharField())
    definition = serializers.DictField(child=serializers.CharField())


class ResourceAnswer(serializers.Serializer[Any]):
    partner = serializers.CharField()
    title = serializers.DictField()
    family = serializers.CharField()
    resource = serializers.CharField()
    asked = serializers.DictField()
    answered = Block(many=True)
    covered = Block(many=True, help_text="Of curves: the days whose pieces lie in the window.")
    data_through = serializers.DateField(allow_null=True)
    sample = serializers.BooleanField()
    releases = serializers.ListField(child=serializers.CharField())
    notes = serializers.ListField(child=serializers.CharField())
    columns = ColumnShape(many=True)
    rows = serializers.ListField(child=serializers.DictField())


class ReleaseShape(serializers.Serializer[Any]):
    id = serializers.CharField()
    kind = serializers.ChoiceField(["segments", "danmu"])
    title = serializers.CharField()
    day = serializers.DateField(allow_null=True)
    done_at = serializers.DateTimeField()
    engine = serializers.CharField()
    metric_version = serializers.CharField()
    waiting_viewers = serializers.IntegerField(allow_null=True)


class ReleaseList(serializers.Serializer[Any]):
    releases = ReleaseShape(many=True)


class ChangeShape(Period):
    kind = serializers.ChoiceField(["restatement", "adjustment"])
    title = serializers.CharField()
    family = serializers.CharField()
    territory = serializers.CharField()
    metric = serializers.CharField()
    old = serializers.IntegerField(allow_null=True, help_text="null: nothing was published.")
    new = serializers.IntegerField(allow_null=True, help_text="null: nothing is published now.")
    at = serializers.DateTimeField()


class ChangeList(serializers.Serializer[Any]):
    changes = ChangeShape(many=True)


class BundleAsked(Period):
    """`titles` are slugs; absent: all that the member may export."""

    titles = serializers.ListField(
        child=serializers.SlugField(), required=False, min_length=1, max_length=500
    )
    language = serializers.ChoiceField(REPORT_LANGUAGES, default="zh-hans")
    formats = serializers.MultipleChoiceField(
        choices=FORMATS,
        default=set(),
        help_text="Beside the PDF and the CSV files, which every bundle has.",
    )
    paper = serializers.ChoiceField(PAPERS, default="a4")


class BundleShape(Period):
    id = serializers.CharField()
    state = serializers.CharField()
    progress = serializers.IntegerField()
    problem = serializers.CharField()
    language = serializers.CharField()
    formats = serializers.ListField(child=serializers.CharField())
    paper = serializers.CharField()
    made_at = serializers.DateTimeField()
    file = serializers.DictField(allow_null=True)


class BundleList(serializers.Serializer[Any]):
    bundles = BundleShape(many=True)


class ActivityShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    who = serializers.ChoiceField(["member", "staff", "portal", "unknown"])
    name = serializers.CharField()
    email = serializers.CharField(help_text="Empty but for the own members.")
    action = serializers.CharField()
    target = serializers.CharField()
    detail = serializers.DictField()
    ip = serializers.CharField(help_text="Empty but for the own members.")


class ActivityList(serializers.Serializer[Any]):
    activity = ActivityShape(many=True)
    next = serializers.UUIDField(allow_null=True, help_text="`before` of the next page.")


class ScheduleShape(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()
    cadence = serializers.ChoiceField(Schedule.Cadence.choices)
    weekday = serializers.IntegerField()
    monthday = serializers.IntegerField()
    hour = serializers.IntegerField()
    zone = serializers.CharField()
    language = serializers.ChoiceField(REPORT_LANGUAGES)
    paper = serializers.ChoiceField(PAPERS)
    formats = serializers.ListField(child=serializers.ChoiceField(FORMATS))
    deadline_hours = serializers.IntegerField()
    skip_unchanged = serializers.BooleanField()
    paused = serializers.BooleanField()
    next_due = serializers.DateTimeField(allow_null=True)
    recipients = serializers.ListField(child=serializers.EmailField())


class ScheduleList(serializers.Serializer[Any]):
    schedules = ScheduleShape(many=True)


class DeliveryShape(Period):
    id = serializers.CharField(
        allow_null=True, help_text="Its bundle's; null where none is made (held, skipped)."
    )
    schedule = serializers.CharField(allow_null=True, help_text="Null: it was asked for.")
    name = serializers.CharField(help_text="The schedule's.")
    recipient = serializers.EmailField()
    state = serializers.ChoiceField(State.choices)
    at = serializers.DateTimeField(help_text="When it came to this state.")
    attempts = serializers.IntegerField()
    reason = serializers.CharField()
    advice = serializers.CharField(help_text="What is to be done.")


class DeliveryList(serializers.Serializer[Any]):
    deliveries = DeliveryShape(many=True)
    next = serializers.IntegerField(allow_null=True, help_text="`page` of the next page.")


class RunShape(Period):
    """A report sent at once: its bundles are among those of its recipients."""

    id = serializers.UUIDField()
    period = serializers.CharField()
