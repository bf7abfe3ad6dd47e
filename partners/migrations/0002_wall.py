"""The second wall: rights, row-level security, and one view per fact table.

Written out as SQL. A new table or family comes with a migration of its own that adds to this;
tests/test_walls.py reads the catalogue and fails for a table that nobody has walled.
"""

from django.db import migrations

# Nobody but the owner makes objects, not even temporary ones.
PUBLIC = """
DO $$ BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END $$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
"""

# What any request needs to know who is asking and what is granted.
BASE = """
GRANT SELECT ON partners_partner, partners_membership, partners_grant, partners_grant_titles,
    partners_entitlement, partners_holding, engagement_title, engagement_tag,
    engagement_title_tags, django_content_type, auth_permission, auth_group,
    auth_group_permissions, partners_user_groups, partners_user_user_permissions
    TO dailies_web, dailies_partner, dailies_staff, dailies_worker;
GRANT SELECT, UPDATE ON partners_user TO dailies_web, dailies_partner, dailies_staff;
GRANT SELECT ON partners_user TO dailies_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON django_session,
    account_emailaddress, account_emailconfirmation
    TO dailies_web, dailies_partner, dailies_staff;
GRANT USAGE ON SEQUENCE
    account_emailaddress_id_seq, account_emailconfirmation_id_seq
    TO dailies_web, dailies_partner, dailies_staff;
-- accepting an invitation makes a user and a membership
GRANT INSERT ON partners_user, partners_membership TO dailies_web;
GRANT SELECT, UPDATE ON partners_invitation TO dailies_web;
-- the audit trail is added to and, but for staff, not read
GRANT INSERT, SELECT (id, at) ON partners_auditevent
    TO dailies_web, dailies_partner, dailies_staff, dailies_worker, dailies_publish;
GRANT USAGE ON SEQUENCE partners_auditevent_id_seq
    TO dailies_web, dailies_partner, dailies_staff, dailies_worker, dailies_publish;
"""

STAFF = """
GRANT SELECT ON partners_auditevent, engagement_ingest, engagement_source, engagement_rejected,
    engagement_release, engagement_release_sources, engagement_titlechange TO dailies_staff;
GRANT SELECT, INSERT, UPDATE, DELETE ON partners_user, partners_user_groups,
    partners_user_user_permissions, auth_group, auth_group_permissions,
    partners_partner, partners_membership, partners_invitation, partners_holding,
    partners_grant, partners_grant_titles, partners_entitlement, django_admin_log,
    engagement_title, engagement_tag, engagement_title_tags TO dailies_staff;
GRANT UPDATE ON engagement_titlechange TO dailies_staff;
GRANT USAGE ON SEQUENCE partners_user_groups_id_seq, partners_user_user_permissions_id_seq,
    auth_group_id_seq, auth_group_permissions_id_seq, partners_invitation_id_seq,
    partners_holding_id_seq, partners_grant_titles_id_seq, partners_entitlement_id_seq,
    django_admin_log_id_seq, engagement_title_id_seq, engagement_tag_id_seq,
    engagement_title_tags_id_seq TO dailies_staff;
"""

REPORTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON reports_schedule, reports_schedule_recipients,
    reports_run, reports_bundle, reports_artefact, reports_delivery
    TO dailies_partner, dailies_staff, dailies_worker;
GRANT USAGE ON SEQUENCE reports_schedule_recipients_id_seq
    TO dailies_partner, dailies_staff, dailies_worker;
GRANT SELECT, INSERT, UPDATE ON reports_heartbeat TO dailies_worker;
GRANT SELECT ON reports_heartbeat TO dailies_web, dailies_staff;
"""

PUBLISH = """
GRANT SELECT, INSERT, UPDATE, DELETE ON engagement_title, engagement_tag, engagement_title_tags,
    engagement_titlechange, engagement_ingest, engagement_source, engagement_rejected,
    engagement_release, engagement_release_sources, engagement_daypartial,
    engagement_viewingfact, engagement_viewersketch, engagement_retentionfact,
    engagement_rewatchfact, engagement_danmufact, engagement_danmucomment TO dailies_publish;
GRANT USAGE ON SEQUENCE engagement_title_id_seq, engagement_tag_id_seq,
    engagement_title_tags_id_seq, engagement_titlechange_id_seq, engagement_ingest_id_seq,
    engagement_source_id_seq, engagement_rejected_id_seq, engagement_release_sources_id_seq,
    engagement_daypartial_id_seq, engagement_viewingfact_id_seq, engagement_viewersketch_id_seq,
    engagement_retentionfact_id_seq, engagement_rewatchfact_id_seq, engagement_danmufact_id_seq,
    engagement_danmucomment_id_seq TO dailies_publish;
"""

CURRENT_PARTNER = "nullif(current_setting('dailies.partner_id', true), '')::uuid"

# Every table with a partner_id. Others than the partner's role are let through by name, never
# by an OR in the policy, which would cost the index.
OF_A_PARTNER = (
    "partners_membership",
    "partners_invitation",
    "partners_holding",
    "partners_grant",
    "partners_entitlement",
    "reports_schedule",
    "reports_run",
    "reports_bundle",
    "reports_artefact",
    "reports_delivery",
)
SECURITY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_partner ON {table} TO dailies_partner
    USING (partner_id = {current}) WITH CHECK (partner_id = {current});
CREATE POLICY of_all ON {table}
    TO dailies_web, dailies_staff, dailies_worker, dailies_owner USING (true) WITH CHECK (true);
"""

# The audit trail: a partner's role may write of its own partner only; nobody may change it.
AUDIT = """
ALTER TABLE partners_auditevent ENABLE ROW LEVEL SECURITY;
ALTER TABLE partners_auditevent FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_partner ON partners_auditevent TO dailies_partner
    USING (partner_id = {current}) WITH CHECK (partner_id = {current});
CREATE POLICY of_all ON partners_auditevent
    TO dailies_web, dailies_staff, dailies_worker, dailies_publish, dailies_owner
    USING (true) WITH CHECK (true);
CREATE FUNCTION partners_auditevent_is_append_only() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON partners_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION partners_auditevent_is_append_only();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON partners_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION partners_auditevent_is_append_only();
"""

# A fact is read through its view, by a live entitlement of the partner and exit that are set
# for the transaction: same title, family and territory, its days wholly inside the data window.
# A row over all territories (*) needs a grant for all.
VIEW = """
CREATE VIEW {view} WITH (security_barrier) AS
SELECT fact.*
FROM {table} AS fact
WHERE EXISTS (
    SELECT FROM partners_entitlement AS e
    JOIN partners_grant AS g ON g.id = e.grant_id
    JOIN partners_partner AS p ON p.id = e.partner_id
    WHERE e.partner_id = {current}
      AND e.title_id = fact.title_id
      AND '{family}' = ANY (e.families)
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
){more};
GRANT SELECT ON {view} TO dailies_reader;
"""
# Text that leaves the pages occurs from three senders, is liked by ten, or was picked by staff.
MAY_LEAVE = """
  AND (current_setting('dailies.exit', true) = 'web'
       OR fact.repeats >= 3 OR fact.likes >= 10 OR fact.picked)"""

VIEWS = (
    ("wall_viewing", "engagement_viewingfact", "viewing", ""),
    ("wall_viewer_sketch", "engagement_viewersketch", "viewing", ""),
    ("wall_retention", "engagement_retentionfact", "retention", ""),
    ("wall_rewatch", "engagement_rewatchfact", "rewatch", ""),
    ("wall_danmu", "engagement_danmufact", "danmu", ""),
    ("wall_danmu_comment", "engagement_danmucomment", "danmu", MAY_LEAVE),
)

# A release says what a partner's numbers were made of; it is no number itself.
RELEASES = """
CREATE VIEW wall_release WITH (security_barrier) AS
SELECT release.id, release.kind, release.title_id, release.day, release.done_at,
       release.metric_version, release.engine, release.waiting_viewers
FROM engagement_release AS release
WHERE release.state = 'done' AND EXISTS (
    SELECT FROM partners_entitlement AS e
    JOIN partners_grant AS g ON g.id = e.grant_id
    JOIN partners_partner AS p ON p.id = e.partner_id
    WHERE e.partner_id = {current}
      AND e.title_id = release.title_id
      AND CASE release.kind WHEN 'segments'
          THEN e.families && ARRAY['viewing', 'retention', 'rewatch']::varchar[]
          ELSE 'danmu' = ANY (e.families) END
      AND current_setting('dailies.exit', true) = ANY (e.exits)
      AND (release.day IS NULL OR (e.data_from <= release.day AND release.day < e.data_until))
      AND e.valid_from <= now()
      AND (e.valid_until IS NULL OR now() < e.valid_until)
      AND g.partner_id = e.partner_id
      AND g.state = 'approved'
      AND g.approved_by_id IS NOT NULL
      AND g.revoked_at IS NULL
      AND p.suspended_at IS NULL
);
GRANT SELECT ON wall_release TO dailies_reader;
"""


def _sql() -> str:
    return "\n".join(
        [
            PUBLIC,
            BASE,
            STAFF,
            REPORTS,
            PUBLISH,
            *(SECURITY.format(table=t, current=CURRENT_PARTNER) for t in OF_A_PARTNER),
            AUDIT.format(current=CURRENT_PARTNER),
            *(
                VIEW.format(view=v, table=t, family=f, more=m, current=CURRENT_PARTNER)
                for v, t, f, m in VIEWS
            ),
            RELEASES.format(current=CURRENT_PARTNER),
        ]
    )


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0001_initial"),
        ("engagement", "0001_initial"),
        ("reports", "0001_initial"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("sessions", "0001_initial"),
    ]
    operations = [migrations.RunSQL(_sql(), reverse_sql=migrations.RunSQL.noop, elidable=False)]
