"""The worker asks which days are published: a report waits for those of its period."""

from django.db import migrations

RIGHTS = """
GRANT SELECT (kind, day, state, done_at) ON engagement_release TO dailies_worker;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("engagement", "0009_releases_by_time"),
        ("reports", "0005_ledger"),
    ]

    operations = [
        migrations.RunSQL(RIGHTS, reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
