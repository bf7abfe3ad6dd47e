"""The worker asks whether an ingest has ended since a period settled: that publishes the rest."""

from django.db import migrations

RIGHTS = """
GRANT SELECT (finished_at) ON engagement_ingest TO dailies_worker;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("engagement", "0009_releases_by_time"),
        ("reports", "0006_what_is_published"),
    ]

    operations = [
        migrations.RunSQL(RIGHTS, reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
