"""The sharing view tells where new viewers were not measured.

Written out as partners/migrations/0008_sharing_pieces.py: the same rule, one column more.
"""

from django.db import migrations

CURRENT_PARTNER = "nullif(current_setting('dailies.partner_id', true), '')::uuid"

LIVE = f"""
    SELECT FROM partners_entitlement AS e
    JOIN partners_grant AS g ON g.id = e.grant_id
    JOIN partners_partner AS p ON p.id = e.partner_id
    WHERE e.partner_id = {CURRENT_PARTNER}
      AND e.title_id = fact.title_id
      AND 'sharing' = ANY (e.families)
      AND (fact.territory = ANY (e.territories) OR '*' = ANY (e.territories))
      AND current_setting('dailies.exit', true) = ANY (e.exits)
      AND e.data_from <= {{since}}
      AND fact.until <= e.data_until
      AND e.valid_from <= now()
      AND (e.valid_until IS NULL OR now() < e.valid_until)
      AND g.partner_id = e.partner_id
      AND g.state = 'approved'
      AND g.approved_by_id IS NOT NULL
      AND g.revoked_at IS NULL
      AND p.suspended_at IS NULL
"""

SHARING = f"""
CREATE OR REPLACE VIEW wall_sharing WITH (security_barrier) AS
SELECT fact.id, fact.territory, fact."from", fact.until, fact.channel, fact.shares, fact.visits,
       CASE WHEN EXISTS ({LIVE.format(since="fact.new_since")}) THEN fact.new_viewers END
           AS new_viewers,
       fact.new_since, fact.release_id, fact.title_id, fact.new_viewers_measured
FROM engagement_sharingfact AS fact
WHERE EXISTS ({LIVE.format(since='fact."from"')});
"""


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0008_sharing_pieces"),
        ("engagement", "0006_not_measured"),
    ]
    operations = [
        migrations.RunSQL(SHARING, reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
