"""Pages and the staff's lists stay fast at a hundred thousand grants; limited staff's titles are theirs.

`of_limited_staff` said `unlimited OR ...`, of which PostgreSQL expects a hundredth of the rows to
pass: it then read and sorted every grant there is for one page of a list. Of a CASE it expects
half, and walks the index. What the policies let through is the same.

An entitlement is of its grant's partner: by a key of both columns PostgreSQL holds it to that, and
knows that the walls' join of the two loses no row. It expected one row of a partner's hundred, and
compared every fact of a portfolio with each of them (48 ms for 40 titles, 12 by a hash).
"""

from django.db import migrations, models

UNLIMITED = "(SELECT nullif(current_setting('dailies.staff_partners', true), '')) IS NULL"
THEIRS = "ANY ((SELECT nullif(current_setting('dailies.staff_partners', true), ''))::uuid[])"
OF_A_PARTNER = (
    "partners_accessrequest",
    "partners_claimeddomain",
    "partners_credential",
    "partners_entitlement",
    "partners_grant",
    "partners_holding",
    "partners_identityprovider",
    "partners_invitation",
    "partners_membership",
    "partners_staffview",
    "reports_artefact",
    "reports_bundle",
    "reports_delivery",
    "reports_notice",
    "reports_run",
    "reports_schedule",
)
OTHERS = {
    "partners_partner": f"id = {THEIRS}",
    "partners_consent": f"partner_id = {THEIRS} AND given_to_id = {THEIRS}",
    "partners_auditevent": f"""partner_id = {THEIRS}
        OR actor_id = (SELECT nullif(current_setting('dailies.staff_id', true), '')::uuid)""",
}
# Holdings and grants are limited by their own policies: what is left of them is theirs.
BY_WHAT_IS_LEFT = {
    "partners_grant_titles": (
        "EXISTS (SELECT FROM partners_grant AS g WHERE g.id = partners_grant_titles.grant_id)"
    ),
    "engagement_title": (
        "EXISTS (SELECT FROM partners_holding AS h WHERE h.title_id = engagement_title.id)"
        " OR EXISTS (SELECT FROM partners_grant_titles AS n WHERE n.title_id = engagement_title.id)"
    ),
}
POLICY = """
{how} POLICY of_limited_staff ON {table}{kind}
    USING (CASE WHEN {unlimited} THEN true ELSE {condition} END)
    WITH CHECK (CASE WHEN {unlimited} THEN true ELSE {condition} END);
"""


# group: {(app, model, the model's name in English): actions}
GROUPS: dict[str, dict[tuple[str, str, str], tuple[str, ...]]] = {
    "Partner managers": {
        ("partners", "credential", "credential"): ("view", "change"),
        ("reports", "notice", "notice"): ("view",),
    },
    "Data operations": {("reports", "notice", "notice"): ("view",)},
}
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
    """Run again by tests that emptied the tables."""
    return "".join(
        PERMISSION.format(group=group, app=app, model=model, name=name, action=action)
        for group, rights in GROUPS.items()
        for (app, model, name), actions in rights.items()
        for action in actions
    )


OF_ITS_GRANTS_PARTNER = """
ALTER TABLE partners_entitlement ADD CONSTRAINT entitlement_of_its_grants_partner
    FOREIGN KEY (grant_id, partner_id) REFERENCES partners_grant (id, partner_id)
    DEFERRABLE INITIALLY DEFERRED;
"""


def _limits() -> str:
    known = dict.fromkeys(OF_A_PARTNER, f"partner_id = {THEIRS}") | OTHERS
    return "".join(
        POLICY.format(
            how="CREATE" if table in BY_WHAT_IS_LEFT else "ALTER",
            kind=" AS RESTRICTIVE TO dailies_staff" if table in BY_WHAT_IS_LEFT else "",
            table=table,
            unlimited=UNLIMITED,
            condition=f"({condition})",
        )
        for table, condition in (known | BY_WHAT_IS_LEFT).items()
    )


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0021_team"),
        ("engagement", "0008_bytes_as_they_are"),
        ("reports", "0002_notice"),
    ]
    operations = [
        migrations.AddIndex(
            model_name="grant",
            index=models.Index(fields=["-made_at", "-id"], name="grant_newest_first"),
        ),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.UniqueConstraint(
                fields=["id", "partner"], name="grant_of_its_partner"
            ),
        ),
        migrations.RunSQL(
            OF_ITS_GRANTS_PARTNER, reverse_sql=migrations.RunSQL.noop, elidable=False
        ),
        migrations.RunSQL(_groups(), reverse_sql=migrations.RunSQL.noop, elidable=False),
        migrations.RunSQL(_limits(), reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
