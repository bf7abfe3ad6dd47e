"""Roles of staff: four groups, a limit to partners, and what no form can get around.

Written out as SQL. What staff may do is decided by Python; here is what holds when Python forgets:
nobody's own rights change, no page makes a superuser or an administrator by one person, and staff
who are limited to partners read and write the rows of those alone.
"""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

# Groups and permissions come with migrations; no page changes them. What any role may do, an
# administrator may hand out and so has; what any role may look at, an auditor may.
GROUPS = """
INSERT INTO auth_group (name) VALUES ('Auditors'), ('Administrators')
ON CONFLICT (name) DO NOTHING;
INSERT INTO django_content_type (app_label, model)
VALUES ('partners', 'rolechange'), ('auth', 'group')
ON CONFLICT (app_label, model) DO NOTHING;
INSERT INTO auth_permission (name, content_type_id, codename)
SELECT v.name, c.id, v.codename
FROM (VALUES
    ('partners', 'rolechange', 'Can view proposed administrator', 'view_rolechange'),
    ('partners', 'rolechange', 'Can hand out roles', 'hand_out_roles'),
    ('auth', 'group', 'Can view group', 'view_group')
) AS v (app, model, name, codename)
JOIN django_content_type AS c ON c.app_label = v.app AND c.model = v.model
ON CONFLICT (content_type_id, codename) DO NOTHING;
INSERT INTO auth_group_permissions (group_id, permission_id)
SELECT g.id, p.id
FROM auth_group AS g
JOIN auth_permission AS p ON p.codename IN ('view_rolechange', 'view_group')
    OR (g.name = 'Administrators' AND p.codename = 'hand_out_roles')
WHERE g.name IN ('Auditors', 'Administrators')
ON CONFLICT DO NOTHING;
INSERT INTO auth_group_permissions (group_id, permission_id)
SELECT DISTINCT g.id, held.permission_id
FROM auth_group_permissions AS held
JOIN auth_group AS of ON of.id = held.group_id
JOIN auth_permission AS p ON p.id = held.permission_id
JOIN auth_group AS g ON g.name = 'Administrators'
    OR (g.name = 'Auditors' AND p.codename LIKE 'view\\_%')
WHERE of.name IN ('Partner managers', 'Data operations')
ON CONFLICT DO NOTHING;
"""
# The same for the permissions that later migrations give.
FOLLOW = """
CREATE FUNCTION auth_group_permissions_are_followed() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    IF EXISTS (
        SELECT FROM public.auth_group
        WHERE id = NEW.group_id AND name IN ('Partner managers', 'Data operations')
    ) THEN
        INSERT INTO public.auth_group_permissions (group_id, permission_id)
        SELECT g.id, p.id
        FROM public.auth_permission AS p
        JOIN public.auth_group AS g ON g.name = 'Administrators'
            OR (g.name = 'Auditors' AND p.codename LIKE 'view\\_%')
        WHERE p.id = NEW.permission_id
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER followed AFTER INSERT ON auth_group_permissions
    FOR EACH ROW EXECUTE FUNCTION auth_group_permissions_are_followed();
"""

RIGHTS = """
REVOKE INSERT, UPDATE, DELETE
    ON auth_group, auth_group_permissions, partners_user_user_permissions FROM dailies_staff;
GRANT SELECT, INSERT ON partners_rolechange TO dailies_staff;
GRANT UPDATE (decided_by_id, decided_at, accepted) ON partners_rolechange TO dailies_staff;
GRANT USAGE ON SEQUENCE partners_rolechange_id_seq TO dailies_staff;
"""

# `dailies.staff_id` is set with the staff's role, for the transaction of a request.
OWN_RIGHTS = """
CREATE FUNCTION partners_user_rights() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    IF current_user NOT IN ('dailies_web', 'dailies_partner', 'dailies_staff', 'dailies_worker')
    THEN
        RETURN NEW;
    END IF;
    IF NEW.is_superuser AND (TG_OP = 'INSERT' OR NOT OLD.is_superuser) THEN
        RAISE EXCEPTION 'a superuser is made on the server alone'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.limit_partners IS DISTINCT FROM OLD.limit_partners
       AND current_user <> 'dailies_staff'
    THEN
        RAISE EXCEPTION 'only staff limit staff' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.id::text = current_setting('dailies.staff_id', true)
       AND (NEW.is_staff, NEW.limit_partners) IS DISTINCT FROM (OLD.is_staff, OLD.limit_partners)
    THEN
        RAISE EXCEPTION 'nobody changes their own rights'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER rights BEFORE INSERT OR UPDATE ON partners_user
    FOR EACH ROW EXECUTE FUNCTION partners_user_rights();

CREATE FUNCTION partners_user_groups_rights() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    IF current_user <> 'dailies_staff' THEN
        RETURN NEW;
    END IF;
    IF NEW.user_id::text = current_setting('dailies.staff_id', true) THEN
        RAISE EXCEPTION 'nobody changes their own rights'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF EXISTS (
        SELECT FROM public.auth_group WHERE id = NEW.group_id AND name = 'Administrators'
    ) AND NOT EXISTS (
        SELECT FROM public.partners_rolechange
        WHERE user_id = NEW.user_id AND accepted AND decided_at >= transaction_timestamp()
    ) THEN
        RAISE EXCEPTION 'an administrator takes two people'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER rights BEFORE INSERT OR UPDATE ON partners_user_groups
    FOR EACH ROW EXECUTE FUNCTION partners_user_groups_rights();
"""

# `dailies.staff_partners` is an array of ids for staff who are limited, and empty for the others.
# The settings are read once a query, not once a row. A restrictive policy is joined to the others
# by AND, and it stays while the staff's role is taken anew within the request.
UNLIMITED = "(SELECT nullif(current_setting('dailies.staff_partners', true), '')) IS NULL"
THEIRS = "ANY ((SELECT nullif(current_setting('dailies.staff_partners', true), ''))::uuid[])"
LIMITED = """
CREATE POLICY of_limited_staff ON {table} AS RESTRICTIVE TO dailies_staff
    USING ({unlimited} OR {condition})
    WITH CHECK ({unlimited} OR {condition});
"""
OF_A_PARTNER = (
    "partners_membership",
    "partners_invitation",
    "partners_holding",
    "partners_grant",
    "partners_entitlement",
    "partners_credential",
    "reports_schedule",
    "reports_run",
    "reports_bundle",
    "reports_artefact",
    "reports_delivery",
)
# The names of partners are under row-level security by a later migration.
OTHERS = {
    "partners_partner": "id = {theirs}",
    "partners_consent": "(partner_id = {theirs} AND given_to_id = {theirs})",
    "partners_auditevent": """(partner_id = {theirs}
        OR actor_id = (SELECT nullif(current_setting('dailies.staff_id', true), '')::uuid))""",
}


def _limits() -> str:
    conditions = dict.fromkeys(OF_A_PARTNER, "partner_id = {theirs}") | OTHERS
    return "".join(
        LIMITED.format(table=table, unlimited=UNLIMITED, condition=condition.format(theirs=THEIRS))
        for table, condition in conditions.items()
    )


def _groups() -> str:
    """Run again by tests that emptied the tables."""
    return GROUPS


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0015_sessions"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="limit_partners",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.UUIDField(),
                blank=True,
                null=True,
                size=None,
                verbose_name="only these partners",
            ),
        ),
        migrations.CreateModel(
            name="RoleChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="proposed at",
                    ),
                ),
                ("decided_at", models.DateTimeField(null=True, verbose_name="decided at")),
                ("accepted", models.BooleanField(null=True, verbose_name="accepted")),
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
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="proposed by",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="who",
                    ),
                ),
            ],
            options={
                "verbose_name": "proposed administrator",
                "verbose_name_plural": "proposed administrators",
                "ordering": ["-id"],
                "permissions": [("hand_out_roles", "Can hand out roles")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("user", models.F("made_by")), _negated=True),
                        name="nobody_proposes_themselves",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("decided_by__isnull", True),
                            models.Q(
                                models.Q(("decided_by", models.F("made_by")), _negated=True),
                                models.Q(("decided_by", models.F("user")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="role_change_needs_two_people",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("decided_at__isnull", True)),
                        fields=("user",),
                        name="one_open_role_change_of_a_person",
                    ),
                ],
            },
        ),
        *(
            migrations.RunSQL(sql, reverse_sql=migrations.RunSQL.noop, elidable=False)
            for sql in (FOLLOW, _groups(), RIGHTS, OWN_RIGHTS, _limits())
        ),
    ]
