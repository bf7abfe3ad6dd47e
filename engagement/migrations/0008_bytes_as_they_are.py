"""Curves come compressed and sketches cannot be: Postgres need not try to compress them again."""

from __future__ import annotations

from django.db import migrations

COLUMNS = {
    "engagement_daypartial": ("curves", "viewer_sketch", "finisher_sketch", "content_sketch"),
    "engagement_viewersketch": ("viewers", "finishers"),
    "engagement_publishedpiece": ("content",),
    "engagement_retentionfact": ("curves",),
    "engagement_rewatchfact": ("curves",),
    "engagement_danmufact": ("curves",),
    "engagement_sharingoffset": ("curves",),
    "engagement_typicalfact": ("curves",),
    "engagement_noisedtable": ("noised",),
}


def _alter(storage: str) -> str:
    return "\n".join(
        f"ALTER TABLE {table} "
        + ", ".join(f"ALTER COLUMN {column} SET STORAGE {storage}" for column in columns)
        + ";"
        for table, columns in COLUMNS.items()
    )


class Migration(migrations.Migration):
    dependencies = [("engagement", "0007_partials_by_their_key")]

    operations = [migrations.RunSQL(_alter("EXTERNAL"), _alter("EXTENDED"))]
