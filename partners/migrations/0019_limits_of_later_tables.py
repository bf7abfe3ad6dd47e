"""Staff who are limited to some partners are so on the tables that came beside 0016_staff_roles;
and partner managers set up single sign-on.

Written out as SQL, in the words of that migration.
"""

from django.db import migrations

UNLIMITED = "(SELECT nullif(current_setting('dailies.staff_partners', true), '')) IS NULL"
THEIRS = "ANY ((SELECT nullif(current_setting('dailies.staff_partners', true), ''))::uuid[])"
LIMITED = """
CREATE POLICY of_limited_staff ON {table} AS RESTRICTIVE TO dailies_staff
    USING ({unlimited} OR partner_id = {theirs})
    WITH CHECK ({unlimited} OR partner_id = {theirs});
"""
OF_A_PARTNER = (
    "partners_accessrequest",
    "partners_claimeddomain",
    "partners_identityprovider",
    "partners_staffview",
    "reports_notice",
)

# (model, the model's name in English)
SINGLE_SIGN_ON = (
    ("identityprovider", "identity provider"),
    ("claimeddomain", "claimed domain"),
)
PERMISSION = """
INSERT INTO django_content_type (app_label, model) VALUES ('partners', '{model}')
ON CONFLICT (app_label, model) DO NOTHING;
INSERT INTO auth_permission (name, content_type_id, codename)
SELECT 'Can {action} {name}', id, '{action}_{model}'
FROM django_content_type
WHERE app_label = 'partners' AND model = '{model}'
ON CONFLICT (content_type_id, codename) DO NOTHING;
INSERT INTO auth_group_permissions (group_id, permission_id)
SELECT g.id, p.id
FROM auth_group AS g
CROSS JOIN auth_permission AS p
JOIN django_content_type AS c ON c.id = p.content_type_id
WHERE g.name = 'Partner managers'
  AND c.app_label = 'partners'
  AND c.model = '{model}'
  AND p.codename = '{action}_{model}'
ON CONFLICT DO NOTHING;
"""


def _groups() -> str:
    """Run again by tests that emptied the tables."""
    return "".join(
        PERMISSION.format(action=action, model=model, name=name)
        for model, name in SINGLE_SIGN_ON
        for action in ("view", "add", "change", "delete")
    )


def _limits() -> str:
    return "".join(
        LIMITED.format(table=table, unlimited=UNLIMITED, theirs=THEIRS) for table in OF_A_PARTNER
    )


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0018_partners_own_names"),
        ("reports", "0002_notice"),
    ]
    operations = [
        migrations.RunSQL(_limits(), reverse_sql=migrations.RunSQL.noop, elidable=False),
        migrations.RunSQL(_groups(), reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
