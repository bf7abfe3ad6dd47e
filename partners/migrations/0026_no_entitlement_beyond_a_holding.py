"""What a holding no longer covers is closed, whoever changed it: by hand, in a shell, in SQL.

An entitlement is looked at as it is written (0010). Here it is looked at again, by that same
rule, once a holding has shrunk or gone or a title has left its series: when the transaction ends,
so that partners/refreshing.py has written what is left before.
"""

from django.db import migrations

CLOSES = """
CREATE FUNCTION partners_entitlement_closes() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
DECLARE
    entitlement bigint;
BEGIN
    FOR entitlement IN
        SELECT e.id FROM public.partners_entitlement AS e
        WHERE CASE TG_TABLE_NAME
            WHEN 'partners_holding' THEN
                e.title_id = (to_jsonb(OLD) ->> 'title_id')::bigint
                AND e.partner_id = (to_jsonb(OLD) ->> 'partner_id')::uuid
            ELSE
                e.title_id IN (
                    SELECT id FROM public.engagement_title WHERE OLD.id IN (id, parent_id)
                )
            END
    LOOP
        BEGIN
            UPDATE public.partners_entitlement SET title_id = title_id WHERE id = entitlement;
        EXCEPTION WHEN check_violation THEN
            DELETE FROM public.partners_entitlement WHERE id = entitlement;
        END;
    END LOOP;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER closes_what_is_not_held AFTER UPDATE OR DELETE ON partners_holding
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION partners_entitlement_closes();
CREATE CONSTRAINT TRIGGER closes_what_left_its_series AFTER UPDATE ON engagement_title
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW
    WHEN ((OLD.parent_id IS NOT NULL AND NEW.parent_id IS DISTINCT FROM OLD.parent_id)
          OR (OLD.kind = 'series' AND NEW.kind <> 'series'))
    EXECUTE FUNCTION partners_entitlement_closes();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0025_second_person_of_holdings_and_consents"),
    ]

    operations = [
        migrations.RunSQL(CLOSES, reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
