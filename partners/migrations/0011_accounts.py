"""Second factors, and sessions that end when what they were opened under changes."""

from django.db import migrations, models

RIGHTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON mfa_authenticator TO dailies_web;
GRANT SELECT, DELETE ON mfa_authenticator TO dailies_staff;
GRANT USAGE ON SEQUENCE mfa_authenticator_id_seq TO dailies_web;
"""

# Whatever changes a person's rights ends their sessions, and a row that is saved as it was read
# a while ago does not bring them back.
EPOCH = """
CREATE FUNCTION partners_user_epoch() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    NEW.session_epoch := greatest(NEW.session_epoch, OLD.session_epoch);
    IF (NEW.is_active, NEW.is_staff, NEW.is_superuser, NEW.email)
       IS DISTINCT FROM (OLD.is_active, OLD.is_staff, OLD.is_superuser, OLD.email)
    THEN
        NEW.session_epoch := OLD.session_epoch + 1;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER epoch BEFORE UPDATE ON partners_user
    FOR EACH ROW EXECUTE FUNCTION partners_user_epoch();

CREATE FUNCTION partners_rights_epoch() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    UPDATE public.partners_user SET session_epoch = session_epoch + 1
    WHERE id = CASE WHEN TG_OP = 'INSERT' THEN NEW.user_id ELSE OLD.user_id END;
    RETURN NULL;
END $$;
CREATE TRIGGER epoch AFTER UPDATE OF role, limit_titles, limit_families, user_id, partner_id
    OR DELETE ON partners_membership
    FOR EACH ROW EXECUTE FUNCTION partners_rights_epoch();
CREATE TRIGGER epoch AFTER INSERT OR DELETE ON partners_user_groups
    FOR EACH ROW EXECUTE FUNCTION partners_rights_epoch();
CREATE TRIGGER epoch AFTER INSERT OR DELETE ON partners_user_user_permissions
    FOR EACH ROW EXECUTE FUNCTION partners_rights_epoch();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0010_grants_replace_and_narrow"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]
    operations = [
        migrations.AddField(
            model_name="partner",
            name="requires_mfa",
            field=models.BooleanField(
                default=False,
                help_text="Every member must set one up before any page opens.",
                verbose_name="asks for a second factor",
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="session_epoch",
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.RunSQL(RIGHTS, reverse_sql=migrations.RunSQL.noop, elidable=False),
        migrations.RunSQL(EPOCH, reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
