"""Those who receive a partner's schedule are its own members, also where Python forgets (case 17)."""

from django.db import migrations

CHECK = """
ALTER POLICY of_the_partner ON reports_schedule_recipients WITH CHECK (
    EXISTS (
        SELECT FROM reports_schedule AS s WHERE s.id = reports_schedule_recipients.schedule_id
    )
    AND EXISTS (
        SELECT FROM partners_membership AS m
        WHERE m.id = reports_schedule_recipients.membership_id
    )
);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0023_people_of_the_partner"),
        ("reports", "0001_initial"),
    ]
    operations = [migrations.RunSQL(CHECK, reverse_sql=migrations.RunSQL.noop, elidable=False)]
