"""How many viewers of a day wait is a number over all territories: read by a grant for all.

Written out as SQL, as partners/migrations/0002_wall.py, whose view this replaces.
"""

from django.db import migrations

CURRENT_PARTNER = "nullif(current_setting('dailies.partner_id', true), '')::uuid"

LIVE = f"""
    SELECT FROM partners_entitlement AS e
    JOIN partners_grant AS g ON g.id = e.grant_id
    JOIN partners_partner AS p ON p.id = e.partner_id
    WHERE e.partner_id = {CURRENT_PARTNER}
      AND e.title_id = release.title_id
      AND current_setting('dailies.exit', true) = ANY (e.exits)
      AND (release.day IS NULL OR (e.data_from <= release.day AND release.day < e.data_until))
      AND e.valid_from <= now()
      AND (e.valid_until IS NULL OR now() < e.valid_until)
      AND g.partner_id = e.partner_id
      AND g.state = 'approved'
      AND g.approved_by_id IS NOT NULL
      AND g.revoked_at IS NULL
      AND p.suspended_at IS NULL
"""
RELEASES = f"""
CREATE OR REPLACE VIEW wall_release WITH (security_barrier) AS
SELECT release.id, release.kind, release.title_id, release.day, release.done_at,
       release.metric_version, release.engine,
       CASE WHEN EXISTS ({LIVE}
           AND '*' = ANY (e.territories) AND 'viewing' = ANY (e.families)
       ) THEN release.waiting_viewers END AS waiting_viewers
FROM engagement_release AS release
WHERE release.state = 'done' AND EXISTS ({LIVE}
    AND CASE release.kind WHEN 'segments'
        THEN e.families && ARRAY['viewing', 'retention', 'rewatch']::varchar[]
        ELSE 'danmu' = ANY (e.families) END
);
"""


class Migration(migrations.Migration):
    dependencies = [("partners", "0003_staff")]
    operations = [
        migrations.RunSQL(RELEASES, reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
