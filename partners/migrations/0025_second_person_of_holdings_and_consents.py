"""A second person for what a holding or a consent opens.

Written out as SQL beside what Python decides. A consent that was recorded by one person before
waits for another from now on. Who recorded earlier holdings is in the audit trail alone.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

HOLDINGS = """
CREATE FUNCTION partners_holding_is_recorded() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    NEW.recorded_at := statement_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER recorded BEFORE INSERT OR UPDATE ON partners_holding
    FOR EACH ROW WHEN (NEW.recorded_by_id IS NOT NULL)
    EXECUTE FUNCTION partners_holding_is_recorded();

-- What a grant's maker saw is approved; a holding of the approver's that came after is nobody's
-- second look.
CREATE FUNCTION partners_grant_rests_on_two() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    IF EXISTS (
        SELECT FROM public.partners_holding AS h
        JOIN public.engagement_title AS child ON child.id = h.title_id
        JOIN public.partners_grant_titles AS named ON named.title_id = child.parent_id
        WHERE named.grant_id = NEW.id
          AND h.partner_id = NEW.partner_id
          AND h.recorded_by_id = NEW.approved_by_id
          AND h.recorded_at > NEW.made_at
    ) THEN
        RAISE EXCEPTION 'nobody approves what their own holding opens'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER rests_on_two AFTER UPDATE ON partners_grant
    FOR EACH ROW WHEN (OLD.state = 'proposed' AND NEW.state = 'approved')
    EXECUTE FUNCTION partners_grant_rests_on_two();
"""

CONSENTS = """
CREATE FUNCTION partners_consent_is_fixed() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.approved_by_id IS NOT NULL THEN
            RAISE EXCEPTION 'a consent is recorded before it is approved'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.partner_id, NEW.given_to_id, NEW.title_id, NEW.contract_reference, NEW.from_day,
        NEW.recorded_by_id)
       IS DISTINCT FROM
       (OLD.partner_id, OLD.given_to_id, OLD.title_id, OLD.contract_reference, OLD.from_day,
        OLD.recorded_by_id)
       OR coalesce(NEW.until, 'infinity') > coalesce(OLD.until, 'infinity')
    THEN
        RAISE EXCEPTION 'of a consent only the end comes earlier'
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.approved_by_id IS NOT NULL
       AND (NEW.approved_by_id, NEW.approved_at)
           IS DISTINCT FROM (OLD.approved_by_id, OLD.approved_at)
    THEN
        RAISE EXCEPTION 'a consent keeps its approver' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.approved_by_id IS NULL AND NEW.approved_by_id IS NOT NULL THEN
        NEW.approved_at := statement_timestamp();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fixed BEFORE INSERT OR UPDATE ON partners_consent
    FOR EACH ROW EXECUTE FUNCTION partners_consent_is_fixed();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("engagement", "0009_releases_by_time"),
        ("partners", "0024_recipients_of_the_partner"),
    ]

    operations = [
        migrations.AddField(
            model_name="consent",
            name="approved_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="approved at"),
        ),
        migrations.AddField(
            model_name="consent",
            name="approved_by",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="approved by",
            ),
        ),
        migrations.AddField(
            model_name="holding",
            name="recorded_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="recorded at"),
        ),
        migrations.AddField(
            model_name="holding",
            name="recorded_by",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="recorded by",
            ),
        ),
        migrations.AddConstraint(
            model_name="consent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("approved_by__isnull", True),
                    models.Q(("approved_by", models.F("recorded_by")), _negated=True),
                    _connector="OR",
                ),
                name="consent_needs_two_people",
            ),
        ),
        migrations.RunSQL(HOLDINGS, reverse_sql=migrations.RunSQL.noop, elidable=False),
        migrations.RunSQL(CONSENTS, reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
