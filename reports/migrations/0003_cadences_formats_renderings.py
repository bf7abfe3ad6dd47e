"""Reports by day, month and release, in more formats; one rendering for all who may see the same."""

import uuid

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

PERIODS = """
SET CONSTRAINTS ALL IMMEDIATE;
UPDATE reports_run SET period = 'week:' || from_day;
SET CONSTRAINTS ALL DEFERRED;
"""

# A member who leaves takes what hangs on the membership along, by the partner's or the staff's role.
RIGHTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON reports_rendering TO dailies_worker;
GRANT SELECT ON reports_rendering TO dailies_staff;
GRANT SELECT, INSERT ON reports_reportpassword TO dailies_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON reports_reportpassword TO dailies_partner;
GRANT SELECT, DELETE ON reports_reportpassword TO dailies_staff;
GRANT SELECT (id, bundle_id, partner_id), DELETE ON reports_notice TO dailies_partner;
GRANT DELETE ON reports_notice TO dailies_staff;
"""

CURRENT = "nullif(current_setting('dailies.partner_id', true), '')::uuid"
UNLIMITED = "(SELECT nullif(current_setting('dailies.staff_partners', true), '')) IS NULL"
THEIRS = "ANY ((SELECT nullif(current_setting('dailies.staff_partners', true), ''))::uuid[])"
SECURITY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_partner ON {table} TO dailies_partner
    USING (partner_id = {current}) WITH CHECK (partner_id = {current});
CREATE POLICY of_all ON {table}
    TO dailies_web, dailies_staff, dailies_worker, dailies_owner USING (true) WITH CHECK (true);
CREATE POLICY of_limited_staff ON {table} AS RESTRICTIVE TO dailies_staff
    USING (CASE WHEN {unlimited} THEN true ELSE partner_id = {theirs} END)
    WITH CHECK (CASE WHEN {unlimited} THEN true ELSE partner_id = {theirs} END);
"""


def _security() -> str:
    return "".join(
        SECURITY.format(table=table, current=CURRENT, unlimited=UNLIMITED, theirs=THEIRS)
        for table in ("reports_rendering", "reports_reportpassword")
    )


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0027_report_policy"),
        ("reports", "0002_notice"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Rendering",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.CharField(max_length=64, verbose_name="key")),
                (
                    "path",
                    models.CharField(
                        help_text="Below the storage.", max_length=300, verbose_name="stored at"
                    ),
                ),
                ("sha256", models.CharField(max_length=64, verbose_name="SHA-256")),
                ("size_bytes", models.BigIntegerField(verbose_name="bytes")),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="made"
                    ),
                ),
            ],
            options={
                "verbose_name": "rendering",
                "verbose_name_plural": "renderings",
            },
        ),
        migrations.CreateModel(
            name="ReportPassword",
            fields=[
                (
                    "membership",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="partners.membership",
                    ),
                ),
                ("enciphered", models.TextField()),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="made"
                    ),
                ),
            ],
            options={
                "verbose_name": "report password",
                "verbose_name_plural": "report passwords",
            },
        ),
        migrations.RemoveConstraint(
            model_name="notice",
            name="notice_is_of_one_thing",
        ),
        migrations.RemoveConstraint(
            model_name="run",
            name="one_run_per_period",
        ),
        migrations.RemoveConstraint(
            model_name="schedule",
            name="schedule_time_is_real",
        ),
        migrations.AddField(
            model_name="artefact",
            name="plain_sha256",
            field=models.CharField(
                blank=True,
                help_text="Stamped, but neither encrypted nor signed: the same bytes each time.",
                max_length=64,
                verbose_name="SHA-256 of the PDF",
            ),
        ),
        migrations.AddField(
            model_name="bundle",
            name="formats",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("xlsx", "Excel workbook"),
                        ("parquet", "Parquet"),
                        ("pdfa", "PDF/A-3 with the data inside"),
                    ],
                    max_length=16,
                ),
                blank=True,
                default=list,
                size=None,
                verbose_name="also as",
            ),
        ),
        migrations.AddField(
            model_name="bundle",
            name="paper",
            field=models.CharField(
                choices=[("a4", "A4"), ("letter", "Letter")],
                default="a4",
                max_length=8,
                verbose_name="paper",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="attached",
            field=models.BooleanField(
                default=False,
                help_text="The file itself left with the mail.",
                verbose_name="attached",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="bounced_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="bounced"),
        ),
        migrations.AddField(
            model_name="delivery",
            name="resent_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="sent again"),
        ),
        migrations.AddField(
            model_name="delivery",
            name="resent_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="sent again by",
            ),
        ),
        migrations.AddField(
            model_name="notice",
            name="bundle",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="reports.bundle",
                verbose_name="bundle",
            ),
        ),
        migrations.AddField(
            model_name="run",
            name="asked_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="partners.membership",
                verbose_name="asked for by",
            ),
        ),
        migrations.AddField(
            model_name="run",
            name="delayed",
            field=models.BooleanField(default=False, verbose_name="delayed"),
        ),
        migrations.AddField(
            model_name="run",
            name="held_until",
            field=models.DateTimeField(
                blank=True,
                help_text="Waits for late numbers, at most until then.",
                null=True,
                verbose_name="held until",
            ),
        ),
        migrations.AddField(
            model_name="run",
            name="period",
            field=models.CharField(
                default="",
                help_text="What it reports on, and the key that makes it once: week:2026-03-02.",
                max_length=80,
                verbose_name="period",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="run",
            name="skipped",
            field=models.BooleanField(default=False, verbose_name="skipped: nothing changed"),
        ),
        migrations.AddField(
            model_name="schedule",
            name="cadence",
            field=models.CharField(
                choices=[
                    ("daily", "daily"),
                    ("weekly", "weekly"),
                    ("monthly", "monthly"),
                    ("release", "after each release"),
                ],
                default="weekly",
                max_length=16,
                verbose_name="how often",
            ),
        ),
        migrations.AddField(
            model_name="schedule",
            name="deadline_hours",
            field=models.PositiveSmallIntegerField(
                default=24,
                help_text="Then the report goes out with what there is, and says that it is delayed.",
                validators=[django.core.validators.MaxValueValidator(240)],
                verbose_name="hours to wait for late numbers",
            ),
        ),
        migrations.AddField(
            model_name="schedule",
            name="formats",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("xlsx", "Excel workbook"),
                        ("parquet", "Parquet"),
                        ("pdfa", "PDF/A-3 with the data inside"),
                    ],
                    max_length=16,
                ),
                blank=True,
                default=list,
                size=None,
                verbose_name="also as",
            ),
        ),
        migrations.AddField(
            model_name="schedule",
            name="monthday",
            field=models.PositiveSmallIntegerField(
                default=1,
                help_text="Of a month that has no such day: its last.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(31),
                ],
                verbose_name="day of the month",
            ),
        ),
        migrations.AddField(
            model_name="schedule",
            name="paper",
            field=models.CharField(
                choices=[("a4", "A4"), ("letter", "Letter")],
                default="a4",
                max_length=8,
                verbose_name="paper",
            ),
        ),
        migrations.AddField(
            model_name="schedule",
            name="skip_unchanged",
            field=models.BooleanField(default=False, verbose_name="skip when nothing changed"),
        ),
        migrations.AlterField(
            model_name="bundle",
            name="language",
            field=models.CharField(
                choices=[
                    ("zh-hans", "Simplified Chinese"),
                    ("en", "English"),
                    ("both", "Chinese and English"),
                ],
                max_length=10,
                verbose_name="language",
            ),
        ),
        migrations.AlterField(
            model_name="bundle",
            name="state",
            field=models.CharField(
                choices=[
                    ("queued", "queued"),
                    ("running", "running"),
                    ("sending", "sending"),
                    ("done", "done"),
                    ("failed", "failed"),
                    ("cancelled", "cancelled: access changed"),
                    ("unknown", "unknown: may have been sent"),
                    ("bounced", "bounced: came back"),
                ],
                default="queued",
                max_length=16,
                verbose_name="state",
            ),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="state",
            field=models.CharField(
                choices=[
                    ("queued", "queued"),
                    ("running", "running"),
                    ("sending", "sending"),
                    ("done", "done"),
                    ("failed", "failed"),
                    ("cancelled", "cancelled: access changed"),
                    ("unknown", "unknown: may have been sent"),
                    ("bounced", "bounced: came back"),
                ],
                default="queued",
                max_length=16,
                verbose_name="state",
            ),
        ),
        migrations.AlterField(
            model_name="notice",
            name="state",
            field=models.CharField(
                choices=[
                    ("queued", "queued"),
                    ("running", "running"),
                    ("sending", "sending"),
                    ("done", "done"),
                    ("failed", "failed"),
                    ("cancelled", "cancelled: access changed"),
                    ("unknown", "unknown: may have been sent"),
                    ("bounced", "bounced: came back"),
                ],
                default="queued",
                max_length=16,
                verbose_name="state",
            ),
        ),
        migrations.AlterField(
            model_name="schedule",
            name="language",
            field=models.CharField(
                choices=[
                    ("zh-hans", "Simplified Chinese"),
                    ("en", "English"),
                    ("both", "Chinese and English"),
                ],
                default="zh-hans",
                max_length=10,
                verbose_name="language",
            ),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("bundle__isnull", True),
                        ("grant__isnull", False),
                        ("request__isnull", True),
                    ),
                    models.Q(
                        ("bundle__isnull", True),
                        ("grant__isnull", True),
                        ("request__isnull", False),
                    ),
                    models.Q(
                        ("bundle__isnull", False),
                        ("grant__isnull", True),
                        ("request__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="notice_is_of_one_thing",
            ),
        ),
        migrations.RunSQL(PERIODS, reverse_sql=migrations.RunSQL.noop, elidable=False),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.UniqueConstraint(
                fields=("schedule", "period"), name="one_run_per_period"
            ),
        ),
        migrations.AddConstraint(
            model_name="schedule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("hour__lte", 23), ("monthday__range", (1, 31)), ("weekday__lte", 6)
                ),
                name="schedule_time_is_real",
            ),
        ),
        migrations.AddConstraint(
            model_name="schedule",
            constraint=models.CheckConstraint(
                condition=models.Q(("cadence__in", ["daily", "weekly", "monthly", "release"])),
                name="schedule_cadence_is_known",
            ),
        ),
        migrations.AddField(
            model_name="rendering",
            name="partner",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="partners.partner"
            ),
        ),
        migrations.AddField(
            model_name="bundle",
            name="rendering",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="bundles",
                to="reports.rendering",
                verbose_name="rendering",
            ),
        ),
        migrations.AddField(
            model_name="reportpassword",
            name="partner",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="partners.partner"
            ),
        ),
        migrations.AddConstraint(
            model_name="rendering",
            constraint=models.UniqueConstraint(
                fields=("partner", "key"), name="one_rendering_per_key"
            ),
        ),
        migrations.RunSQL(RIGHTS + _security(), reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
