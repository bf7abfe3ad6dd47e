"""Who among the staff looks after fan sets and consents.

Written out as partners/migrations/0003_staff.py, for the same two groups.
"""

from django.db import migrations

GROUPS: dict[str, dict[tuple[str, str, str], tuple[str, ...]]] = {
    "Partner managers": {
        ("partners", "consent", "consent"): ("view", "add", "change"),
        ("engagement", "fanset", "fan set"): ("view",),
        ("engagement", "fansetversion", "fan set version"): ("view",),
    },
    "Data operations": {
        ("partners", "consent", "consent"): ("view",),
        ("engagement", "fanset", "fan set"): ("view", "add", "change"),
        ("engagement", "fansetversion", "fan set version"): ("view", "add"),
        ("engagement", "tag", "tag"): ("view",),
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
        ("partners", "0006_wall_families"),
        ("engagement", "0005_platform_draws"),
    ]
    operations = [
        migrations.RunSQL(_groups(), reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
