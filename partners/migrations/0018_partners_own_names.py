"""A partner's role reads the names of its own partner and titles, and no competitor's.

Written out as SQL, as partners/migrations/0002_wall.py. These tables have no partner_id: the key
of the first is the partner, a title is its holders' and those it is granted to, and a row of a
many-to-many table is seen with what it belongs to, which is under a policy of its own.
"""

from django.db import migrations

CURRENT_PARTNER = "nullif(current_setting('dailies.partner_id', true), '')::uuid"

ALL_OTHERS = "dailies_web, dailies_staff, dailies_worker, dailies_publish, dailies_owner"

OF_THE_PARTNER = {
    "partners_partner": f"id = {CURRENT_PARTNER}",
    "partners_grant_titles": (
        "EXISTS (SELECT FROM partners_grant AS g WHERE g.id = partners_grant_titles.grant_id)"
    ),
    "reports_schedule_recipients": (
        "EXISTS (SELECT FROM reports_schedule AS s"
        " WHERE s.id = reports_schedule_recipients.schedule_id)"
    ),
    "engagement_title": (
        "EXISTS (SELECT FROM partners_entitlement AS e WHERE e.title_id = engagement_title.id)"
        " OR EXISTS (SELECT FROM partners_holding AS h WHERE h.title_id = engagement_title.id)"
    ),
    "engagement_title_tags": (
        "EXISTS (SELECT FROM engagement_title AS t WHERE t.id = engagement_title_tags.title_id)"
    ),
}
SECURITY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_partner ON {table} TO dailies_partner
    USING ({own}) WITH CHECK ({own});
CREATE POLICY of_all ON {table} TO {others} USING (true) WITH CHECK (true);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0017_asking_and_looking"),
        ("engagement", "0008_bytes_as_they_are"),
        ("reports", "0001_initial"),
    ]
    operations = [
        migrations.RunSQL(
            "\n".join(
                SECURITY.format(table=table, own=own, others=ALL_OTHERS)
                for table, own in OF_THE_PARTNER.items()
            ),
            reverse_sql=migrations.RunSQL.noop,
            elidable=False,
        )
    ]
