from engagement.models.catalogue import Tag, Title, TitleChange
from engagement.models.facts import (
    DanmuComment,
    DanmuFact,
    DayPartial,
    RetentionFact,
    RewatchFact,
    ViewerSketch,
    ViewingFact,
)
from engagement.models.ledger import Ingest, Rejected, Release, Source

__all__ = [
    "DanmuComment",
    "DanmuFact",
    "DayPartial",
    "Ingest",
    "Rejected",
    "Release",
    "RetentionFact",
    "RewatchFact",
    "Source",
    "Tag",
    "Title",
    "TitleChange",
    "ViewerSketch",
    "ViewingFact",
]
