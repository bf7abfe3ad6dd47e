"""A partner's role records what its own people did, and nobody else's doing.

Whoever acted in a partner's name is read by it (0023_people_of_the_partner): a record that names
anybody would read anybody. Who may be named is a member, or staff who look or have looked as the
partner; a record of what no person did names nobody. What somebody did who is a member no more
(a download that is cut because of that) is recorded as the web.
"""

from django.db import migrations

CHECK = """
CREATE POLICY names_own_people ON partners_auditevent AS RESTRICTIVE FOR INSERT TO dailies_partner
    WITH CHECK (
        actor_id IS NULL
        OR EXISTS (
            SELECT FROM partners_membership AS m
            WHERE m.user_id = partners_auditevent.actor_id
              AND m.partner_id = partners_auditevent.partner_id
        )
        OR EXISTS (
            SELECT FROM partners_staffview AS v
            WHERE v.staff_id = partners_auditevent.actor_id
              AND v.partner_id = partners_auditevent.partner_id
        )
    );
"""


class Migration(migrations.Migration):
    dependencies = [("partners", "0027_report_policy")]
    operations = [migrations.RunSQL(CHECK, reverse_sql=migrations.RunSQL.noop, elidable=False)]
