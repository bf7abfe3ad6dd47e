"""Short mails, made once by their key, under the walls as every table with a partner."""

import datetime
import uuid

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

RIGHTS = """
GRANT SELECT, INSERT, UPDATE ON reports_notice TO dailies_worker;
GRANT SELECT ON reports_notice TO dailies_staff;
ALTER TABLE reports_notice ENABLE ROW LEVEL SECURITY;
ALTER TABLE reports_notice FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_partner ON reports_notice TO dailies_partner
    USING (partner_id = nullif(current_setting('dailies.partner_id', true), '')::uuid)
    WITH CHECK (partner_id = nullif(current_setting('dailies.partner_id', true), '')::uuid);
CREATE POLICY of_all ON reports_notice
    TO dailies_web, dailies_staff, dailies_worker, dailies_owner USING (true) WITH CHECK (true);
"""

READERS = """
INSERT INTO django_content_type (app_label, model) VALUES ('reports', 'notice')
ON CONFLICT (app_label, model) DO NOTHING;
INSERT INTO auth_permission (name, content_type_id, codename)
SELECT 'Can view notice', id, 'view_notice'
FROM django_content_type
WHERE app_label = 'reports' AND model = 'notice'
ON CONFLICT (content_type_id, codename) DO NOTHING;
INSERT INTO auth_group_permissions (group_id, permission_id)
SELECT g.id, p.id
FROM auth_group AS g
CROSS JOIN auth_permission AS p
JOIN django_content_type AS c ON c.id = p.content_type_id
WHERE g.name = 'Partner managers'
  AND c.app_label = 'reports'
  AND c.model = 'notice'
  AND p.codename = 'view_notice'
ON CONFLICT DO NOTHING;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0017_asking_and_looking"),
        ("reports", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Notice",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "queued"),
                            ("running", "running"),
                            ("sending", "sending"),
                            ("done", "done"),
                            ("failed", "failed"),
                            ("cancelled", "cancelled: access changed"),
                            ("unknown", "unknown: may have been sent"),
                        ],
                        default="queued",
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0, verbose_name="attempts")),
                (
                    "due_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="due"
                    ),
                ),
                (
                    "ring_at",
                    models.DateTimeField(
                        db_default=django.db.models.expressions.CombinedExpression(
                            django.db.models.functions.datetime.Now(),
                            "+",
                            models.Value(datetime.timedelta(seconds=5)),
                        ),
                        editable=False,
                        verbose_name="rung again",
                    ),
                ),
                (
                    "lease_until",
                    models.DateTimeField(blank=True, null=True, verbose_name="lease until"),
                ),
                (
                    "leases_lost",
                    models.PositiveSmallIntegerField(default=0, verbose_name="workers lost"),
                ),
                (
                    "failure",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("nothing", "There are no settled numbers in this period yet."),
                            ("refused", "What was asked for is not granted, or not any more."),
                            ("trouble", "Something went wrong; it is being tried again."),
                            ("broken", "It could not be made. Please ask the platform."),
                            ("rejected", "The mail server refused the message."),
                            (
                                "uncertain",
                                "The mail may or may not have arrived; it is not sent again.",
                            ),
                        ],
                        max_length=16,
                        verbose_name="reason",
                    ),
                ),
                (
                    "problem",
                    models.TextField(
                        blank=True, help_text="For the platform's staff.", verbose_name="problem"
                    ),
                ),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="made"
                    ),
                ),
                ("done_at", models.DateTimeField(blank=True, null=True, verbose_name="finished")),
                ("key", models.CharField(max_length=120, verbose_name="key")),
                (
                    "message_id",
                    models.CharField(max_length=200, unique=True, verbose_name="Message-ID"),
                ),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent")),
                (
                    "grant",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="partners.grant",
                        verbose_name="grant",
                    ),
                ),
                (
                    "partner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="partners.partner",
                        verbose_name="partner",
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="partners.accessrequest",
                        verbose_name="access request",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="recipient",
                    ),
                ),
            ],
            options={
                "verbose_name": "notice",
                "verbose_name_plural": "notices",
                "ordering": ["-made_at"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["queued", "running", "sending"])),
                        fields=["due_at"],
                        name="notice_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("user", "key"), name="each_notice_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("grant__isnull", True), ("request__isnull", False)),
                            models.Q(("grant__isnull", False), ("request__isnull", True)),
                            _connector="OR",
                        ),
                        name="notice_is_of_one_thing",
                    ),
                ],
            },
        ),
        migrations.RunSQL(RIGHTS + READERS, reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
