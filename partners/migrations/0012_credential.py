"""Credentials, and their wall.

A partner's role sees its own. The web's, which has to know who is asking before there is a
partner, sees the one row whose hash it has named for the transaction, and keeps its last use.
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
NAMED = "nullif(current_setting('dailies.credential_sha256', true), '')"

WALL = f"""
ALTER TABLE partners_credential ENABLE ROW LEVEL SECURITY;
ALTER TABLE partners_credential FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_partner ON partners_credential TO dailies_partner
    USING (partner_id = {CURRENT_PARTNER}) WITH CHECK (partner_id = {CURRENT_PARTNER});
CREATE POLICY of_the_hash ON partners_credential TO dailies_web
    USING (token_sha256 = {NAMED}) WITH CHECK (token_sha256 = {NAMED});
CREATE POLICY of_all ON partners_credential
    TO dailies_staff, dailies_worker, dailies_owner USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON partners_credential TO dailies_partner;
GRANT SELECT, UPDATE (last_used_at) ON partners_credential TO dailies_web;
GRANT SELECT, UPDATE (maker_id, revoked_at, revoked_by_id) ON partners_credential TO dailies_staff;
GRANT SELECT, UPDATE (reminded_at) ON partners_credential TO dailies_worker;
"""

# What a token opens is what its owner was told when it was made: its end may come earlier, it may
# lose its maker, be revoked, and that is all. It begins now by the database's clock.
FIXED = """
CREATE FUNCTION partners_credential_is_fixed() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.made_at := statement_timestamp();
        RETURN NEW;
    END IF;
    IF (NEW.partner_id, NEW.made_by_id, NEW.name, NEW.prefix, NEW.token_sha256, NEW.exits,
        NEW.families, NEW.networks, NEW.made_at)
       IS DISTINCT FROM
       (OLD.partner_id, OLD.made_by_id, OLD.name, OLD.prefix, OLD.token_sha256, OLD.exits,
        OLD.families, OLD.networks, OLD.made_at)
    THEN
        RAISE EXCEPTION 'a credential is not changed' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.expires_at > OLD.expires_at THEN
        RAISE EXCEPTION 'the end of a credential only comes earlier'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.maker_id IS DISTINCT FROM OLD.maker_id AND NEW.maker_id IS NOT NULL THEN
        RAISE EXCEPTION 'a credential acts for its maker' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN
        RAISE EXCEPTION 'a revoked credential is not taken up again'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fixed BEFORE INSERT OR UPDATE ON partners_credential
    FOR EACH ROW EXECUTE FUNCTION partners_credential_is_fixed();
"""

PERMISSIONS = """
INSERT INTO django_content_type (app_label, model) VALUES ('partners', 'credential')
ON CONFLICT (app_label, model) DO NOTHING;
INSERT INTO auth_permission (name, content_type_id, codename)
SELECT 'Can ' || action || ' credential', c.id, action || '_credential'
FROM django_content_type AS c
CROSS JOIN unnest(ARRAY['view', 'change']) AS action
WHERE c.app_label = 'partners'
  AND c.model = 'credential'
ON CONFLICT (content_type_id, codename) DO NOTHING;
INSERT INTO auth_group_permissions (group_id, permission_id)
SELECT g.id, p.id
FROM auth_group AS g
CROSS JOIN auth_permission AS p
JOIN django_content_type AS c ON c.id = p.content_type_id
WHERE g.name = 'Partner managers'
  AND c.app_label = 'partners'
  AND c.model = 'credential'
  AND p.codename IN ('view_credential', 'change_credential')
ON CONFLICT DO NOTHING;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0011_accounts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Credential",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("prefix", models.CharField(max_length=12, verbose_name="begins with")),
                ("token_sha256", models.CharField(editable=False, max_length=64, unique=True)),
                (
                    "exits",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=16), size=None, verbose_name="exits"
                    ),
                ),
                (
                    "families",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=32),
                        null=True,
                        size=None,
                        verbose_name="only these families",
                    ),
                ),
                (
                    "networks",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=43),
                        default=list,
                        size=None,
                        verbose_name="only from these networks",
                    ),
                ),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="made at"
                    ),
                ),
                ("expires_at", models.DateTimeField(verbose_name="expires")),
                ("last_used_at", models.DateTimeField(null=True, verbose_name="last used")),
                ("revoked_at", models.DateTimeField(null=True, verbose_name="revoked at")),
                ("reminded_at", models.DateTimeField(editable=False, null=True)),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="made by",
                    ),
                ),
                (
                    "maker",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="partners.membership",
                        verbose_name="acts for",
                    ),
                ),
                (
                    "partner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="credentials",
                        to="partners.partner",
                        verbose_name="partner",
                    ),
                ),
                (
                    "replaces",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="replaced_by",
                        to="partners.credential",
                        verbose_name="replaces",
                    ),
                ),
                (
                    "revoked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="revoked by",
                    ),
                ),
            ],
            options={
                "verbose_name": "credential",
                "verbose_name_plural": "credentials",
                "ordering": ["-made_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("expires_at__gte", models.F("made_at")),
                            (
                                "expires_at__lte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("made_at"),
                                    "+",
                                    models.Value(datetime.timedelta(days=365)),
                                ),
                            ),
                        ),
                        name="credential_lasts_a_year_at_most",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("exits__contains", ["api"]), ("exits__contained_by", ["api", "export"])
                        ),
                        name="credential_is_for_the_api",
                    ),
                ],
            },
        ),
        migrations.RunSQL(WALL + FIXED, reverse_sql=migrations.RunSQL.noop, elidable=False),
        migrations.RunSQL(PERMISSIONS, reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
