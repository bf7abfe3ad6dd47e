import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("engagement", "0003_release_reaches"),
    ]

    operations = [
        migrations.CreateModel(
            name="ClosedMonth",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "month",
                    models.DateField(help_text="Its first day.", unique=True, verbose_name="month"),
                ),
                ("closed_at", models.DateTimeField(auto_now_add=True, verbose_name="closed at")),
                ("closed_by", models.CharField(max_length=254, verbose_name="closed by")),
            ],
            options={
                "verbose_name": "closed month",
                "verbose_name_plural": "closed months",
                "ordering": ["-month"],
            },
        ),
        migrations.CreateModel(
            name="FanSet",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.SlugField(max_length=80, unique=True, verbose_name="slug")),
                (
                    "name_zh",
                    models.CharField(blank=True, max_length=200, verbose_name="Chinese name"),
                ),
                (
                    "name_en",
                    models.CharField(blank=True, max_length=200, verbose_name="English name"),
                ),
            ],
            options={
                "verbose_name": "fan set",
                "verbose_name_plural": "fan sets",
                "ordering": ["slug"],
            },
        ),
        migrations.AddField(
            model_name="danmucomment",
            name="phrases",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=64), default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="release",
            name="epsilon",
            field=models.FloatField(
                default=0,
                help_text="Epsilon of the noise drawn for it.",
                verbose_name="privacy spent",
            ),
        ),
        migrations.AddField(
            model_name="release",
            name="people_file",
            field=models.CharField(
                blank=True,
                help_text="Where the pipeline keeps who watched, under its own folder.",
                max_length=200,
                verbose_name="people",
            ),
        ),
        migrations.AddField(
            model_name="release",
            name="until",
            field=models.DateField(
                blank=True,
                help_text="Of a period longer than a day.",
                null=True,
                verbose_name="until",
            ),
        ),
        migrations.AddField(
            model_name="viewersketch",
            name="counted",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), blank=True, null=True, size=None
            ),
        ),
        migrations.AddField(
            model_name="viewingfact",
            name="carried_on",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="viewingfact",
            name="counted",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), blank=True, null=True, size=None
            ),
        ),
        migrations.AlterField(
            model_name="release",
            name="kind",
            field=models.CharField(
                choices=[
                    ("segments", "segments"),
                    ("danmu", "danmu"),
                    ("discussion", "discussion"),
                    ("shares", "shares"),
                    ("demographics", "demographics"),
                    ("geography", "geography"),
                    ("fanbases", "fanbases"),
                    ("typical", "typical"),
                ],
                max_length=16,
                verbose_name="kind",
            ),
        ),
        migrations.AlterField(
            model_name="source",
            name="kind",
            field=models.CharField(
                choices=[
                    ("titles", "titles"),
                    ("segments", "segments"),
                    ("danmu", "danmu"),
                    ("discussion", "discussion"),
                    ("shares", "shares"),
                ],
                max_length=16,
                verbose_name="kind",
            ),
        ),
        migrations.CreateModel(
            name="FanSetVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.PositiveIntegerField(verbose_name="version")),
                ("from_day", models.DateField(verbose_name="from")),
                ("until", models.DateField(blank=True, null=True, verbose_name="until")),
                (
                    "rule",
                    models.CharField(
                        choices=[
                            ("finished", "finished any of these titles"),
                            ("tagged", "watched any title with this tag"),
                        ],
                        max_length=16,
                        verbose_name="rule",
                    ),
                ),
                ("defined_by", models.CharField(max_length=254, verbose_name="defined by")),
                ("defined_at", models.DateTimeField(auto_now_add=True, verbose_name="defined at")),
                (
                    "fan_set",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="engagement.fanset",
                        verbose_name="fan set",
                    ),
                ),
                (
                    "tag",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="engagement.tag",
                        verbose_name="tag",
                    ),
                ),
                (
                    "titles",
                    models.ManyToManyField(
                        blank=True, related_name="+", to="engagement.title", verbose_name="titles"
                    ),
                ),
            ],
            options={
                "verbose_name": "fan set version",
                "verbose_name_plural": "fan set versions",
                "ordering": ["fan_set", "-version"],
            },
        ),
        migrations.CreateModel(
            name="FanbaseFact",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_day", models.DateField(db_column="from")),
                ("until", models.DateField()),
                ("territory", models.CharField(max_length=8)),
                ("partner_id", models.UUIDField(null=True)),
                ("viewers_in_common", models.BigIntegerField(null=True)),
                ("share_of_title", models.FloatField(null=True)),
                ("share_of_fan_set", models.FloatField(null=True)),
                ("lift", models.FloatField(null=True)),
                ("lift_low", models.FloatField(null=True)),
                ("lift_high", models.FloatField(null=True)),
                ("hidden_reason", models.CharField(blank=True, max_length=200)),
                (
                    "counted",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), blank=True, null=True, size=None
                    ),
                ),
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
                (
                    "fan_set",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="engagement.fansetversion",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="GeographyFact",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_day", models.DateField(db_column="from")),
                ("until", models.DateField()),
                ("territory", models.CharField(max_length=8)),
                ("viewers", models.BigIntegerField(null=True)),
                ("finishers", models.BigIntegerField(null=True)),
                (
                    "survival",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), null=True, size=None
                    ),
                ),
                ("hidden_reason", models.CharField(blank=True, max_length=200)),
                (
                    "counted",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), blank=True, null=True, size=None
                    ),
                ),
                ("region", models.CharField(max_length=64)),
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
        ),
        migrations.CreateModel(
            name="NoisedTable",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("family", models.CharField(max_length=16)),
                ("from_day", models.DateField(db_column="from")),
                ("until", models.DateField()),
                ("draw", models.PositiveSmallIntegerField()),
                ("plays", models.BigIntegerField()),
                ("epsilon", models.FloatField()),
                ("noised", models.BinaryField()),
                ("drawn_at", models.DateTimeField(auto_now_add=True)),
                (
                    "changed_plays",
                    models.BigIntegerField(
                        default=0,
                        help_text="Plays added or taken away since, by changes too small to draw again.",
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
        ),
        migrations.CreateModel(
            name="Restatement",
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
                ("family", models.CharField(max_length=16)),
                ("metric", models.CharField(max_length=32)),
                ("old", models.BigIntegerField(null=True)),
                ("new", models.BigIntegerField(null=True)),
                ("at", models.DateTimeField(auto_now_add=True)),
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
        ),
        migrations.CreateModel(
            name="SharingFact",
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
                ("channel", models.CharField(max_length=64)),
                ("shares", models.BigIntegerField()),
                ("visits", models.BigIntegerField()),
                ("new_viewers", models.BigIntegerField(null=True)),
                ("new_since", models.DateField(null=True)),
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
        ),
        migrations.CreateModel(
            name="SharingOffset",
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
                ("shares", models.BigIntegerField()),
                ("unplaced", models.BigIntegerField()),
                ("curves", models.BinaryField()),
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
        ),
        migrations.CreateModel(
            name="TypicalFact",
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
                ("family", models.CharField(max_length=16)),
                ("curves", models.BinaryField()),
                ("like", models.JSONField(default=dict)),
                ("titles", models.PositiveIntegerField()),
                ("partners", models.PositiveIntegerField()),
                ("hidden_reason", models.CharField(blank=True, max_length=200)),
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
        ),
        migrations.CreateModel(
            name="Adjustment",
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
                ("family", models.CharField(max_length=16)),
                ("metric", models.CharField(max_length=32)),
                ("old", models.BigIntegerField()),
                ("new", models.BigIntegerField()),
                ("difference", models.BigIntegerField()),
                ("at", models.DateTimeField(auto_now_add=True)),
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
                "indexes": [models.Index(fields=["title", "at"], name="adjustment_of_title")],
            },
        ),
        migrations.CreateModel(
            name="DemographicsFact",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_day", models.DateField(db_column="from")),
                ("until", models.DateField()),
                ("territory", models.CharField(max_length=8)),
                ("viewers", models.BigIntegerField(null=True)),
                ("finishers", models.BigIntegerField(null=True)),
                (
                    "survival",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), null=True, size=None
                    ),
                ),
                ("hidden_reason", models.CharField(blank=True, max_length=200)),
                (
                    "counted",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), blank=True, null=True, size=None
                    ),
                ),
                ("age_band", models.CharField(max_length=32)),
                ("gender", models.CharField(max_length=16)),
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
                        name="demographics_period_is_not_empty",
                    ),
                    models.UniqueConstraint(
                        fields=("title", "territory", "from_day", "age_band", "gender"),
                        name="demographics_cell_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DiscussionFact",
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
                ("posts", models.BigIntegerField()),
                ("replies", models.BigIntegerField()),
                ("likes", models.BigIntegerField()),
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
                        name="discussion_period_is_not_empty",
                    ),
                    models.UniqueConstraint(
                        fields=("title", "territory", "from_day"), name="discussion_cell_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DiscussionPost",
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
                ("text", models.TextField()),
                ("repeats", models.PositiveIntegerField()),
                ("likes", models.PositiveIntegerField()),
                ("replies", models.PositiveIntegerField()),
                ("picked", models.BooleanField(default=False)),
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
                "indexes": [
                    models.Index(fields=["title", "from_day"], name="discussion_post_of_day")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("from_day__lt", models.F("until"))),
                        name="discussion_post_period_is_not_empty",
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="fansetversion",
            constraint=models.UniqueConstraint(
                fields=("fan_set", "version"), name="fan_set_version_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="fansetversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("rule", "finished"), ("tag", None)),
                    models.Q(("rule", "tagged"), ("tag__isnull", False)),
                    _connector="OR",
                ),
                name="fan_set_rule_is_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="fanbasefact",
            constraint=models.CheckConstraint(
                condition=models.Q(("from_day__lt", models.F("until"))),
                name="fanbase_period_is_not_empty",
            ),
        ),
        migrations.AddConstraint(
            model_name="fanbasefact",
            constraint=models.UniqueConstraint(
                fields=("title", "territory", "from_day", "fan_set", "partner_id"),
                name="fanbase_cell_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="geographyfact",
            constraint=models.CheckConstraint(
                condition=models.Q(("from_day__lt", models.F("until"))),
                name="geography_period_is_not_empty",
            ),
        ),
        migrations.AddConstraint(
            model_name="geographyfact",
            constraint=models.UniqueConstraint(
                fields=("title", "territory", "from_day", "region"), name="geography_cell_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="noisedtable",
            constraint=models.UniqueConstraint(
                fields=("title", "family", "from_day", "until", "draw"), name="draw_once"
            ),
        ),
        migrations.AddIndex(
            model_name="restatement",
            index=models.Index(fields=["title", "at"], name="restatement_of_title"),
        ),
        migrations.AddConstraint(
            model_name="sharingfact",
            constraint=models.CheckConstraint(
                condition=models.Q(("from_day__lt", models.F("until"))),
                name="sharing_period_is_not_empty",
            ),
        ),
        migrations.AddConstraint(
            model_name="sharingfact",
            constraint=models.UniqueConstraint(
                fields=("title", "territory", "channel", "from_day"), name="sharing_cell_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="sharingoffset",
            constraint=models.CheckConstraint(
                condition=models.Q(("from_day__lt", models.F("until"))),
                name="sharing_offset_period_is_not_empty",
            ),
        ),
        migrations.AddConstraint(
            model_name="sharingoffset",
            constraint=models.UniqueConstraint(
                fields=("title", "territory", "from_day"), name="sharing_offset_cell_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="typicalfact",
            constraint=models.CheckConstraint(
                condition=models.Q(("from_day__lt", models.F("until"))),
                name="typical_period_is_not_empty",
            ),
        ),
        migrations.AddConstraint(
            model_name="typicalfact",
            constraint=models.UniqueConstraint(
                fields=("title", "territory", "family", "from_day"), name="typical_cell_once"
            ),
        ),
    ]
