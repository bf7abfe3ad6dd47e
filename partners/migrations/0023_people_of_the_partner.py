"""A partner's role reads its own people, without what they sign in by, and changes nobody.

Written out as SQL, as partners/migrations/0002_wall.py, whose first rights are taken back here.
A person is seen by a membership of the partner or by what they did in its name, once a member or
as staff; both tables are under policies of their own. Sessions and addresses are the web's alone:
it reads them before it becomes a partner's role.
"""

from django.db import migrations, models

# `session_epoch`, a counter, so that the trigger below can raise it.
COLUMNS = "id, email, name, language, is_active, is_staff, date_joined, session_epoch"

RIGHTS = f"""
REVOKE ALL ON partners_user, partners_user_groups, partners_user_user_permissions, auth_group,
    auth_group_permissions, auth_permission, account_emailaddress, account_emailconfirmation,
    django_session FROM dailies_partner;
REVOKE ALL ON SEQUENCE account_emailaddress_id_seq, account_emailconfirmation_id_seq
    FROM dailies_partner;
-- sessions are rows of partners_session
REVOKE ALL ON django_session FROM dailies_web, dailies_staff;
GRANT SELECT ({COLUMNS}) ON partners_user TO dailies_partner;
GRANT UPDATE (session_epoch) ON partners_user TO dailies_partner;
"""

OWN_PEOPLE = """
ALTER TABLE partners_user ENABLE ROW LEVEL SECURITY;
ALTER TABLE partners_user FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_partner ON partners_user TO dailies_partner
    USING (
        EXISTS (SELECT FROM partners_membership AS m WHERE m.user_id = partners_user.id)
        OR EXISTS (
            SELECT FROM partners_auditevent AS a
            WHERE a.actor_id = partners_user.id
              AND a.partner_id = nullif(current_setting('dailies.partner_id', true), '')::uuid
        )
    )
    WITH CHECK (EXISTS (SELECT FROM partners_membership AS m WHERE m.user_id = partners_user.id));
CREATE POLICY of_all ON partners_user
    TO dailies_web, dailies_staff, dailies_worker, dailies_publish, dailies_owner
    USING (true) WITH CHECK (true);
"""

# Before the row goes: afterwards the partner's role would no longer see whose sessions end.
EPOCH = """
CREATE OR REPLACE FUNCTION partners_rights_epoch() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    UPDATE public.partners_user SET session_epoch = session_epoch + 1
    WHERE id = CASE WHEN TG_OP = 'INSERT' THEN NEW.user_id ELSE OLD.user_id END;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER epoch ON partners_membership;
CREATE TRIGGER epoch
    BEFORE UPDATE OF role, limit_titles, limit_families, user_id, partner_id OR DELETE
    ON partners_membership FOR EACH ROW EXECUTE FUNCTION partners_rights_epoch();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0022_staff_lists"),
        ("sessions", "0001_initial"),
        ("account", "0001_initial"),
    ]
    operations = [
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["partner", "actor"], name="audit_of_person"),
        ),
        *(
            migrations.RunSQL(sql, reverse_sql=migrations.RunSQL.noop, elidable=False)
            for sql in (RIGHTS, OWN_PEOPLE, EPOCH)
        ),
    ]
