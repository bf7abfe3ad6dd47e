"""What is measured of a title is told from the day on which it is held, not before.

Written out as SQL, it takes the place of the view of 0017.
"""

from django.db import migrations

MEASURED = """
CREATE OR REPLACE VIEW wall_measured WITH (security_barrier) AS
SELECT DISTINCT release.title_id, release.kind
FROM engagement_release AS release
WHERE release.state = 'done' AND EXISTS (
    SELECT FROM partners_holding AS h
    JOIN partners_partner AS p ON p.id = h.partner_id
    WHERE h.partner_id = nullif(current_setting('dailies.partner_id', true), '')::uuid
      AND h.title_id = release.title_id
      AND (h.from_day IS NULL OR h.from_day <= current_date)
      AND (h.until IS NULL OR current_date < h.until)
      AND p.suspended_at IS NULL
);
"""


class Migration(migrations.Migration):
    dependencies = [("partners", "0019_limits_of_later_tables")]
    operations = [
        migrations.RunSQL(MEASURED, reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
