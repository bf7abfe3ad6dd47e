import django.db.models.deletion
from django.db import migrations, models

RIGHTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON engagement_publishedpiece TO dailies_publish;
GRANT USAGE ON SEQUENCE engagement_publishedpiece_id_seq TO dailies_publish;
"""


class Migration(migrations.Migration):
    dependencies = [("engagement", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="PublishedPiece",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("territory", models.CharField(max_length=2)),
                ("from_day", models.DateField(db_column="from")),
                ("until", models.DateField()),
                ("devices", models.JSONField(default=list)),
                ("content", models.BinaryField()),
                ("waiting", models.BigIntegerField(default=0)),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="engagement.release",
                    ),
                ),
                (
                    "title",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="engagement.title",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("from_day__lt", models.F("until"))),
                        name="published_piece_period_is_not_empty",
                    ),
                    models.UniqueConstraint(
                        fields=("title", "territory", "from_day"), name="published_piece_once"
                    ),
                ],
            },
        ),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
