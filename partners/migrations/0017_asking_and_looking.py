"""Requests for access, files of grants, and staff who look as a partner: tables, rights, walls.

Written out as SQL. A partner's role may ask and withdraw, nothing more; what is measured of a
title it reads through a view that a holding opens, which tells no figure.
"""

import datetime
import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

CURRENT_PARTNER = "nullif(current_setting('dailies.partner_id', true), '')::uuid"

SECURITY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_partner ON {table} TO dailies_partner
    USING (partner_id = {current}) WITH CHECK (partner_id = {current});
CREATE POLICY of_all ON {table}
    TO dailies_web, dailies_staff, dailies_worker, dailies_owner USING (true) WITH CHECK (true);
"""

RIGHTS = """
GRANT SELECT, INSERT, UPDATE (state, changed_at, decided_by_id, answer, grant_id)
    ON partners_accessrequest TO dailies_partner;
CREATE POLICY asks ON partners_accessrequest AS RESTRICTIVE FOR INSERT TO dailies_partner
    WITH CHECK (state = 'waiting' AND grant_id IS NULL AND decided_by_id IS NULL);
CREATE POLICY withdraws ON partners_accessrequest AS RESTRICTIVE FOR UPDATE TO dailies_partner
    USING (true)
    WITH CHECK (state = 'withdrawn' AND grant_id IS NULL AND decided_by_id IS NULL);
GRANT SELECT, UPDATE ON partners_accessrequest TO dailies_staff;
GRANT SELECT ON partners_accessrequest TO dailies_worker;

GRANT SELECT ON partners_staffview TO dailies_web, dailies_partner;
GRANT SELECT, INSERT, UPDATE ON partners_staffview TO dailies_staff;
-- the worker works out scopes too, and access.py may ask for one that staff look by
GRANT SELECT ON partners_staffview TO dailies_worker;

GRANT SELECT, INSERT ON partners_grantbatch, partners_grantbatch_grants TO dailies_staff;
GRANT USAGE ON SEQUENCE partners_grantbatch_grants_id_seq TO dailies_staff;
"""

# That a title which the partner holds today has published numbers of a kind; no number.
MEASURED = """
CREATE VIEW wall_measured WITH (security_barrier) AS
SELECT DISTINCT release.title_id, release.kind
FROM engagement_release AS release
WHERE release.state = 'done' AND EXISTS (
    SELECT FROM partners_holding AS h
    JOIN partners_partner AS p ON p.id = h.partner_id
    WHERE h.partner_id = {current}
      AND h.title_id = release.title_id
      AND (h.until IS NULL OR current_date < h.until)
      AND p.suspended_at IS NULL
);
GRANT SELECT ON wall_measured TO dailies_reader;
"""

# group: {(app, model, the model's name in English): actions}
GROUPS: dict[str, dict[tuple[str, str, str], tuple[str, ...]]] = {
    "Partner managers": {
        ("partners", "accessrequest", "access request"): ("view", "change"),
        ("partners", "grantbatch", "file of grants"): ("view", "add"),
        ("partners", "staffview", "view as a partner"): ("view", "add"),
    },
}

GROUP = """
INSERT INTO auth_group (name) VALUES ('{group}') ON CONFLICT (name) DO NOTHING;
"""
PERMISSION = """
INSERT INTO django_content_type (app_label, model) VALUES ('{app}', '{model}')
ON CONFLICT (app_label, model) DO NOTHING;
INSERT INTO auth_permission (name, content_type_id, codename)
SELECT 'Can {action} {name}', id, '{action}_{model}'
FROM django_content_type
WHERE app_label = '{app}' AND model = '{model}'
ON CONFLICT (content_type_id, codename) DO NOTHING;
INSERT INTO auth_group_permissions (group_id, permission_id)
SELECT g.id, p.id
FROM auth_group AS g
CROSS JOIN auth_permission AS p
JOIN django_content_type AS c ON c.id = p.content_type_id
WHERE g.name = '{group}'
  AND c.app_label = '{app}'
  AND c.model = '{model}'
  AND p.codename = '{action}_{model}'
ON CONFLICT DO NOTHING;
"""


def _groups() -> str:
    sql = []
    for group, rights in GROUPS.items():
        sql.append(GROUP.format(group=group))
        for (app, model, name), actions in rights.items():
            for action in actions:
                sql.append(
                    PERMISSION.format(group=group, app=app, model=model, name=name, action=action)
                )
    return "".join(sql)


def _security() -> str:
    return "".join(
        SECURITY.format(table=table, current=CURRENT_PARTNER)
        for table in ("partners_accessrequest", "partners_staffview")
    )


class Migration(migrations.Migration):
    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("engagement", "0008_bytes_as_they_are"),
        ("partners", "0016_staff_roles"),
    ]

    operations = [
        migrations.CreateModel(
            name="GrantBatch",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=200, verbose_name="file")),
                ("sha256", models.CharField(editable=False, max_length=64)),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="made at"
                    ),
                ),
                (
                    "grants",
                    models.ManyToManyField(
                        related_name="batches", to="partners.grant", verbose_name="grants"
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="made by",
                    ),
                ),
            ],
            options={
                "verbose_name": "file of grants",
                "verbose_name_plural": "files of grants",
                "ordering": ["-made_at"],
            },
        ),
        migrations.CreateModel(
            name="AccessRequest",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "families",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=32),
                        size=None,
                        verbose_name="families",
                    ),
                ),
                ("reason", models.TextField(max_length=2000, verbose_name="reason")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("proposed", "being decided"),
                            ("granted", "granted"),
                            ("declined", "declined"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="waiting",
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                (
                    "asked_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        verbose_name="asked at",
                    ),
                ),
                ("answer", models.TextField(blank=True, max_length=2000, verbose_name="answer")),
                (
                    "changed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        verbose_name="changed at",
                    ),
                ),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="asked by",
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="decided by",
                    ),
                ),
                (
                    "grant",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="access_requests",
                        to="partners.grant",
                        verbose_name="grant",
                    ),
                ),
                (
                    "partner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="access_requests",
                        to="partners.partner",
                        verbose_name="partner",
                    ),
                ),
                (
                    "title",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="engagement.title",
                        verbose_name="title",
                    ),
                ),
            ],
            options={
                "verbose_name": "access request",
                "verbose_name_plural": "access requests",
                "ordering": ["-asked_at"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["waiting", "proposed"])),
                        fields=("partner", "title"),
                        name="one_open_request_a_title",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "declined"), _negated=True),
                            models.Q(("answer", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="declining_gives_a_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StaffView",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("reason", models.CharField(max_length=300, verbose_name="reason")),
                (
                    "started_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="started"
                    ),
                ),
                (
                    "ends_at",
                    models.DateTimeField(
                        db_default=django.db.models.expressions.CombinedExpression(
                            django.db.models.functions.datetime.Now(),
                            "+",
                            models.Value(datetime.timedelta(seconds=1800)),
                        ),
                        verbose_name="ends",
                    ),
                ),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended")),
                (
                    "seen_as",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="member",
                    ),
                ),
                (
                    "partner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="partners.partner",
                        verbose_name="partner",
                    ),
                ),
                (
                    "staff",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="who",
                    ),
                ),
            ],
            options={
                "verbose_name": "view as a partner",
                "verbose_name_plural": "views as a partner",
                "ordering": ["-started_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True),
                        name="staff_view_has_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "ends_at__lte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("started_at"),
                                    "+",
                                    models.Value(datetime.timedelta(seconds=1800)),
                                ),
                            )
                        ),
                        name="staff_view_is_short",
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            _security() + RIGHTS + MEASURED.format(current=CURRENT_PARTNER),
            reverse_sql=migrations.RunSQL.noop,
            elidable=False,
        ),
        migrations.RunSQL(_groups(), reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
