from engagement.models.catalogue import Tag, Title, TitleChange
from engagement.models.facts import (
    DanmuComment,
    DanmuFact,
    DayPartial,
    PublishedPiece,
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
    "PublishedPiece",
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
