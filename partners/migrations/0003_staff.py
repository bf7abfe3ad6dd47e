"""What two people agreed stays as it was, and the two ready-made groups of staff.

Written out as SQL. Permissions are normally made after all migrations, so those that a group
needs are inserted here under Django's own names; it finds them and adds the rest.
"""

from django.db import migrations

# An approved or revoked grant is fixed: its end may come earlier, it may be revoked, and that is
# all. A forgotten check in Python is an integrity error, not a wider grant.
FIXED = """
CREATE FUNCTION partners_grant_is_fixed() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    IF OLD.state = 'proposed' THEN
        RETURN NEW;
    END IF;
    IF (NEW.partner_id, NEW.families, NEW.data_from, NEW.data_until, NEW.territories, NEW.exits,
        NEW.valid_from, NEW.contract_reference, NEW.made_by_id, NEW.made_at,
        NEW.approved_by_id, NEW.approved_at)
       IS DISTINCT FROM
       (OLD.partner_id, OLD.families, OLD.data_from, OLD.data_until, OLD.territories, OLD.exits,
        OLD.valid_from, OLD.contract_reference, OLD.made_by_id, OLD.made_at,
        OLD.approved_by_id, OLD.approved_at)
    THEN
        RAISE EXCEPTION 'a grant is not changed after approval' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.valid_until IS NOT NULL
       AND (NEW.valid_until IS NULL OR NEW.valid_until > OLD.valid_until)
    THEN
        RAISE EXCEPTION 'the end of a grant only comes earlier' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state <> OLD.state AND NOT (OLD.state = 'approved' AND NEW.state = 'revoked') THEN
        RAISE EXCEPTION 'a grant is not taken up again' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fixed_after_approval BEFORE UPDATE ON partners_grant
    FOR EACH ROW EXECUTE FUNCTION partners_grant_is_fixed();

CREATE FUNCTION partners_grant_titles_are_fixed() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    IF EXISTS (
        SELECT FROM public.partners_grant
        WHERE id IN (CASE WHEN TG_OP = 'INSERT' THEN NEW.grant_id ELSE OLD.grant_id END,
                     CASE WHEN TG_OP = 'DELETE' THEN OLD.grant_id ELSE NEW.grant_id END)
          AND state <> 'proposed'
    ) THEN
        RAISE EXCEPTION 'the titles of a grant are not changed after approval'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER fixed_after_approval BEFORE INSERT OR UPDATE OR DELETE ON partners_grant_titles
    FOR EACH ROW EXECUTE FUNCTION partners_grant_titles_are_fixed();
"""

# group: {(app, model, the model's name in English): actions}
GROUPS: dict[str, dict[tuple[str, str, str], tuple[str, ...]]] = {
    "Partner managers": {
        ("partners", "partner", "partner"): ("view", "add", "change"),
        ("partners", "membership", "membership"): ("view", "change", "delete"),
        ("partners", "invitation", "invitation"): ("view", "add", "delete"),
        ("partners", "holding", "holding"): ("view", "add", "change", "delete"),
        ("partners", "grant", "grant"): ("view", "add", "change", "approve"),
        ("partners", "entitlement", "entitlement"): ("view",),
        ("partners", "auditevent", "audit event"): ("view",),
        ("partners", "user", "user"): ("view", "change"),
        ("engagement", "title", "title"): ("view",),
        ("engagement", "titlechange", "title change"): ("view", "change"),
        ("reports", "schedule", "schedule"): ("view",),
        ("reports", "bundle", "bundle"): ("view", "change"),
        ("reports", "delivery", "delivery"): ("view",),
    },
    "Data operations": {
        ("partners", "partner", "partner"): ("view",),
        ("partners", "holding", "holding"): ("view",),
        ("engagement", "title", "title"): ("view", "change"),
        ("engagement", "titlechange", "title change"): ("view", "change"),
        ("engagement", "source", "source"): ("view",),
        ("engagement", "release", "release"): ("view",),
        ("engagement", "ingest", "ingest"): ("view",),
        ("reports", "schedule", "schedule"): ("view",),
        ("reports", "bundle", "bundle"): ("view", "change"),
        ("reports", "delivery", "delivery"): ("view",),
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
    for group, models in GROUPS.items():
        sql.append(GROUP.format(group=group))
        for (app, model, name), actions in models.items():
            for action in actions:
                sql.append(
                    PERMISSION.format(group=group, app=app, model=model, name=name, action=action)
                )
    return "".join(sql)


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0002_wall"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]
    operations = [
        migrations.RunSQL(FIXED, reverse_sql=migrations.RunSQL.noop, elidable=False),
        migrations.RunSQL(_groups(), reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
