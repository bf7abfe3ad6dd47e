"""The second wall of the families that came later, and of series.

Written out as SQL, as partners/migrations/0002_wall.py. A series' own row names the children it
counts and is read only by who is granted every one of them for that family, territory and
period.
"""

from django.db import migrations

CURRENT_PARTNER = "nullif(current_setting('dailies.partner_id', true), '')::uuid"

RIGHTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON engagement_discussionfact, engagement_discussionpost,
    engagement_sharingfact, engagement_sharingoffset, engagement_demographicsfact,
    engagement_geographyfact, engagement_fanbasefact, engagement_typicalfact,
    engagement_restatement, engagement_adjustment, engagement_closedmonth
    TO dailies_publish;
-- a draw of noise is never changed or forgotten, but for how much changed since
GRANT SELECT, INSERT, UPDATE (changed_plays) ON engagement_noisedtable TO dailies_publish;
GRANT SELECT ON engagement_fanset, engagement_fansetversion, engagement_fansetversion_titles,
    partners_holding, partners_consent, partners_partner TO dailies_publish;
GRANT USAGE ON SEQUENCE engagement_discussionfact_id_seq, engagement_discussionpost_id_seq,
    engagement_sharingfact_id_seq, engagement_sharingoffset_id_seq,
    engagement_demographicsfact_id_seq, engagement_geographyfact_id_seq,
    engagement_fanbasefact_id_seq, engagement_typicalfact_id_seq, engagement_restatement_id_seq,
    engagement_adjustment_id_seq, engagement_closedmonth_id_seq, engagement_noisedtable_id_seq
    TO dailies_publish;
GRANT SELECT, INSERT, UPDATE, DELETE ON engagement_fanset TO dailies_staff;
GRANT SELECT, INSERT ON engagement_fansetversion, engagement_fansetversion_titles,
    engagement_closedmonth TO dailies_staff;
GRANT UPDATE (until) ON engagement_fansetversion TO dailies_staff;
GRANT SELECT, INSERT, UPDATE, DELETE ON partners_consent TO dailies_staff;
GRANT USAGE ON SEQUENCE engagement_fanset_id_seq, engagement_fansetversion_id_seq,
    engagement_fansetversion_titles_id_seq, engagement_closedmonth_id_seq,
    partners_consent_id_seq TO dailies_staff;
"""

SECURITY = f"""
ALTER TABLE partners_consent ENABLE ROW LEVEL SECURITY;
ALTER TABLE partners_consent FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_partner ON partners_consent TO dailies_partner
    USING (partner_id = {CURRENT_PARTNER}) WITH CHECK (partner_id = {CURRENT_PARTNER});
CREATE POLICY of_all ON partners_consent
    TO dailies_staff, dailies_publish, dailies_owner USING (true) WITH CHECK (true);
CREATE POLICY of_the_publisher ON partners_holding FOR SELECT TO dailies_publish USING (true);
-- read through its view alone, which asks for the partner
ALTER TABLE engagement_fanbasefact ENABLE ROW LEVEL SECURITY;
ALTER TABLE engagement_fanbasefact FORCE ROW LEVEL SECURITY;
CREATE POLICY of_all ON engagement_fanbasefact
    TO dailies_publish, dailies_owner USING (true) WITH CHECK (true);
"""

LIVE = f"""
    SELECT FROM partners_entitlement AS e
    JOIN partners_grant AS g ON g.id = e.grant_id
    JOIN partners_partner AS p ON p.id = e.partner_id
    WHERE e.partner_id = {CURRENT_PARTNER}
      AND e.title_id = {{title}}
      AND {{family}} = ANY (e.families)
      AND (fact.territory = ANY (e.territories) OR '*' = ANY (e.territories))
      AND current_setting('dailies.exit', true) = ANY (e.exits)
      AND e.data_from <= fact."from"
      AND fact.until <= e.data_until
      AND e.valid_from <= now()
      AND (e.valid_until IS NULL OR now() < e.valid_until)
      AND g.partner_id = e.partner_id
      AND g.state = 'approved'
      AND g.approved_by_id IS NOT NULL
      AND g.revoked_at IS NULL
      AND p.suspended_at IS NULL
"""

# A series' row over all its children, by who is granted them all.
CHILDREN = """
  AND (fact.counted IS NULL OR NOT EXISTS (
      SELECT FROM unnest(fact.counted) AS child(id)
      WHERE NOT EXISTS ({live})
  ))"""

MAY_LEAVE = """
  AND (current_setting('dailies.exit', true) = 'web'
       OR fact.repeats >= 3 OR fact.likes >= 10 OR fact.picked)"""

MADE_FOR = f"""
  AND (fact.partner_id IS NULL OR fact.partner_id = {CURRENT_PARTNER})"""


def _view(name: str, table: str, family: str, *, more: str = "", children: bool = False) -> str:
    return (
        f"CREATE OR REPLACE VIEW {name} WITH (security_barrier) AS\n"
        f"SELECT fact.* FROM {table} AS fact\n"
        f"WHERE EXISTS ({LIVE.format(title='fact.title_id', family=family)})"
        + (CHILDREN.format(live=LIVE.format(title="child.id", family=family)) if children else "")
        + more
        + f";\nGRANT SELECT ON {name} TO dailies_reader;\n"
    )


FANBASES = (
    "CREATE VIEW wall_fanbases WITH (security_barrier) AS\n"
    "SELECT fact.*, sets.slug AS fan_set\n"
    "FROM engagement_fanbasefact AS fact\n"
    "JOIN engagement_fansetversion AS version ON version.id = fact.fan_set_id\n"
    "JOIN engagement_fanset AS sets ON sets.id = version.fan_set_id\n"
    f"WHERE EXISTS ({LIVE.format(title='fact.title_id', family=chr(39) + 'fanbases' + chr(39))})"
    + CHILDREN.format(live=LIVE.format(title="child.id", family="'fanbases'"))
    + MADE_FOR
    + ";\nGRANT SELECT ON wall_fanbases TO dailies_reader;\n"
)

VIEWS = "\n".join(
    [
        _view("wall_viewing", "engagement_viewingfact", "'viewing'", children=True),
        _view("wall_viewer_sketch", "engagement_viewersketch", "'viewing'", children=True),
        _view("wall_danmu_comment", "engagement_danmucomment", "'danmu'", more=MAY_LEAVE),
        _view("wall_discussion", "engagement_discussionfact", "'discussion'"),
        _view("wall_discussion_post", "engagement_discussionpost", "'discussion'", more=MAY_LEAVE),
        _view("wall_sharing", "engagement_sharingfact", "'sharing'"),
        _view("wall_sharing_offset", "engagement_sharingoffset", "'sharing'"),
        _view("wall_demographics", "engagement_demographicsfact", "'demographics'", children=True),
        _view("wall_geography", "engagement_geographyfact", "'geography'", children=True),
        _view("wall_typical", "engagement_typicalfact", "fact.family"),
        _view("wall_restatement", "engagement_restatement", "fact.family"),
        _view("wall_adjustment", "engagement_adjustment", "fact.family"),
        FANBASES,
    ]
)

LIVE_RELEASE = f"""
    SELECT FROM partners_entitlement AS e
    JOIN partners_grant AS g ON g.id = e.grant_id
    JOIN partners_partner AS p ON p.id = e.partner_id
    WHERE e.partner_id = {CURRENT_PARTNER}
      AND e.title_id = release.title_id
      AND current_setting('dailies.exit', true) = ANY (e.exits)
      AND (release.day IS NULL OR (e.data_from <= release.day AND release.day < e.data_until))
      AND (release.until IS NULL OR release.until <= e.data_until)
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
       CASE WHEN EXISTS ({LIVE_RELEASE}
           AND '*' = ANY (e.territories) AND 'viewing' = ANY (e.families)
       ) THEN release.waiting_viewers END AS waiting_viewers,
       release.until, release.epsilon
FROM engagement_release AS release
WHERE release.state = 'done' AND EXISTS ({LIVE_RELEASE}
    AND CASE release.kind
        WHEN 'segments' THEN e.families && ARRAY['viewing', 'retention', 'rewatch']::varchar[]
        WHEN 'typical' THEN e.families && ARRAY['retention', 'rewatch']::varchar[]
        WHEN 'shares' THEN 'sharing' = ANY (e.families)
        ELSE release.kind = ANY (e.families) END
);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0005_consent"),
        ("engagement", "0004_all_families"),
    ]
    operations = [
        migrations.RunSQL(
            "\n".join([RIGHTS, SECURITY, VIEWS, RELEASES]),
            reverse_sql=migrations.RunSQL.noop,
            elidable=False,
        )
    ]
