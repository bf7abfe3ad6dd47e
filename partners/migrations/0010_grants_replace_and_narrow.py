"""What replaces a grant, and how an approved one is narrowed: the database holds both.

Written out as SQL, it takes the place of the functions of 0003. A proposal is made and approved
by the database's clock and changes nothing of itself on the way; an approved grant only narrows;
an entitlement never reaches beyond its grant nor, of a series' child, beyond the holdings.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

GRANTS = """
CREATE OR REPLACE FUNCTION partners_grant_is_fixed() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.replaces_id IS NOT NULL AND NEW.replaces_id NOT IN (
        SELECT id FROM public.partners_grant WHERE partner_id = NEW.partner_id
    ) THEN
        RAISE EXCEPTION 'a grant replaces one of the same partner'
            USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'proposed' THEN
            RAISE EXCEPTION 'a grant begins as a proposal' USING ERRCODE = 'check_violation';
        END IF;
        NEW.made_at := statement_timestamp();
        RETURN NEW;
    END IF;
    IF (NEW.made_by_id, NEW.made_at) IS DISTINCT FROM (OLD.made_by_id, OLD.made_at) THEN
        RAISE EXCEPTION 'a grant keeps its maker' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'revoked' AND OLD.state <> 'revoked' THEN
        NEW.revoked_at := statement_timestamp();
    END IF;
    IF OLD.state = 'proposed' AND NEW.state = 'proposed' THEN
        RETURN NEW;
    END IF;
    -- approved, revoked, or about to be: whom it is for, since when, under which contract
    IF (NEW.partner_id, NEW.valid_from, NEW.contract_reference, NEW.replaces_id)
       IS DISTINCT FROM
       (OLD.partner_id, OLD.valid_from, OLD.contract_reference, OLD.replaces_id)
    THEN
        RAISE EXCEPTION 'a grant is not changed after approval' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state = 'proposed' THEN
        IF (NEW.families, NEW.data_from, NEW.data_until, NEW.territories, NEW.exits,
            NEW.valid_until)
           IS DISTINCT FROM
           (OLD.families, OLD.data_from, OLD.data_until, OLD.territories, OLD.exits,
            OLD.valid_until)
        THEN
            RAISE EXCEPTION 'a grant is approved as it was proposed'
                USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.state = 'approved' THEN
            NEW.approved_at := statement_timestamp();
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.approved_by_id, NEW.approved_at) IS DISTINCT FROM (OLD.approved_by_id, OLD.approved_at)
    THEN
        RAISE EXCEPTION 'a grant is not changed after approval' USING ERRCODE = 'check_violation';
    END IF;
    IF NOT (NEW.families <@ OLD.families
        AND NEW.exits <@ OLD.exits
        AND (NEW.territories <@ OLD.territories OR '*' = ANY (OLD.territories))
        AND coalesce(NEW.data_from, '-infinity') >= coalesce(OLD.data_from, '-infinity')
        AND coalesce(NEW.data_until, 'infinity') <= coalesce(OLD.data_until, 'infinity')
        AND cardinality(NEW.families) > 0
        AND cardinality(NEW.exits) > 0
        AND cardinality(NEW.territories) > 0)
    THEN
        RAISE EXCEPTION 'a grant is not widened after approval' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.valid_until IS NOT NULL
       AND (NEW.valid_until IS NULL OR NEW.valid_until > OLD.valid_until)
    THEN
        RAISE EXCEPTION 'the end of a grant only comes earlier' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state <> OLD.state AND NOT (OLD.state = 'approved' AND NEW.state = 'revoked') THEN
        RAISE EXCEPTION 'a grant is not taken up again' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER fixed_after_approval ON partners_grant;
CREATE TRIGGER fixed_after_approval BEFORE INSERT OR UPDATE ON partners_grant
    FOR EACH ROW EXECUTE FUNCTION partners_grant_is_fixed();

-- What was narrowed is closed until its entitlements have been written anew.
CREATE FUNCTION partners_grant_closes() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    DELETE FROM public.partners_entitlement WHERE grant_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER closes_when_narrowed AFTER UPDATE ON partners_grant
    FOR EACH ROW
    WHEN ((NEW.families, NEW.exits, NEW.territories, NEW.data_from, NEW.data_until)
          IS DISTINCT FROM
          (OLD.families, OLD.exits, OLD.territories, OLD.data_from, OLD.data_until))
    EXECUTE FUNCTION partners_grant_closes();

-- An approved grant may lose a title, never its last one; it is then closed for that title and,
-- where that is a series, for its children.
CREATE OR REPLACE FUNCTION partners_grant_titles_are_fixed() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (
        SELECT FROM public.partners_grant AS g
        JOIN public.partners_grant_titles AS others ON others.grant_id = g.id
        WHERE g.id = OLD.grant_id AND g.state = 'approved' AND others.id <> OLD.id
    ) THEN
        DELETE FROM public.partners_entitlement WHERE grant_id = OLD.grant_id;
        RETURN OLD;
    END IF;
    IF EXISTS (
        SELECT FROM public.partners_grant
        WHERE id IN (CASE WHEN TG_OP = 'INSERT' THEN NEW.grant_id ELSE OLD.grant_id END,
                     CASE WHEN TG_OP = 'DELETE' THEN OLD.grant_id ELSE NEW.grant_id END)
          AND state <> 'proposed'
    ) THEN
        RAISE EXCEPTION 'the titles of a grant are not changed after approval'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
"""

ENTITLEMENTS = """
CREATE FUNCTION partners_entitlement_is_granted() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM public.partners_grant AS g
        WHERE g.id = NEW.grant_id
          AND g.state = 'approved'
          AND g.partner_id = NEW.partner_id
          AND NEW.families <@ g.families
          AND NEW.exits <@ g.exits
          AND (NEW.territories <@ g.territories OR '*' = ANY (g.territories))
          AND coalesce(g.data_from, '-infinity') <= NEW.data_from
          AND NEW.data_until <= coalesce(g.data_until, 'infinity')
          AND g.valid_from <= NEW.valid_from
          AND coalesce(NEW.valid_until, 'infinity') <= coalesce(g.valid_until, 'infinity')
    ) THEN
        RAISE EXCEPTION 'an entitlement reaches beyond its grant'
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (
        SELECT FROM public.partners_grant_titles
        WHERE grant_id = NEW.grant_id AND title_id = NEW.title_id
    ) THEN
        RETURN NEW;
    END IF;
    IF NOT EXISTS (
        SELECT FROM public.engagement_title AS child
        JOIN public.engagement_title AS series ON series.id = child.parent_id
        JOIN public.partners_grant_titles AS named ON named.title_id = series.id
        WHERE child.id = NEW.title_id
          AND named.grant_id = NEW.grant_id
          AND series.kind = 'series'
    ) OR EXISTS (
        SELECT FROM unnest(NEW.territories) AS code
        WHERE NOT coalesce(daterange(NEW.data_from, NEW.data_until) <@ (
            SELECT range_agg(daterange(h.from_day, h.until))
            FROM public.partners_holding AS h
            WHERE h.partner_id = NEW.partner_id
              AND h.title_id = NEW.title_id
              AND (code = ANY (h.territories) OR '*' = ANY (h.territories))
        ), false)
    ) THEN
        RAISE EXCEPTION 'an entitlement reaches beyond what its partner holds'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER within_its_grant BEFORE INSERT OR UPDATE ON partners_entitlement
    FOR EACH ROW EXECUTE FUNCTION partners_entitlement_is_granted();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("engagement", "0008_bytes_as_they_are"),
        ("partners", "0009_not_measured"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="entitlement",
            name="title_once_per_grant",
        ),
        migrations.AddField(
            model_name="grant",
            name="replaces",
            field=models.ForeignKey(
                blank=True,
                help_text="An approved grant of the same partner that ends where this one begins.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="replaced_by",
                to="partners.grant",
                verbose_name="replaces",
            ),
        ),
        migrations.AlterField(
            model_name="grant",
            name="made_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(),
                editable=False,
                verbose_name="made at",
            ),
        ),
        migrations.AddConstraint(
            model_name="entitlement",
            constraint=models.UniqueConstraint(
                fields=("grant", "title", "territories", "data_from", "data_until"),
                name="tuple_once_per_grant",
            ),
        ),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("replaces__isnull", True),
                    models.Q(("replaces", models.F("id")), _negated=True),
                    _connector="OR",
                ),
                name="grant_replaces_another",
            ),
        ),
        migrations.RunSQL(GRANTS, reverse_sql=migrations.RunSQL.noop, elidable=False),
        migrations.RunSQL(ENTITLEMENTS, reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
