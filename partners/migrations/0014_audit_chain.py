"""The audit trail's chain: events are stamped by a trigger, sealed in batches, never changed.

Written out as SQL: the trigger that stamps, and who may do what with the seals.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

# Whoever inserts cannot choose when it was, in which transaction, or as whom.
STAMPED = """
CREATE FUNCTION partners_auditevent_is_stamped() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$
BEGIN
    NEW.at := clock_timestamp();
    NEW.transaction := pg_current_xact_id()::text::bigint;
    NEW.database_user := session_user || ' as ' || current_user;
    RETURN NEW;
END $$;
CREATE TRIGGER stamped BEFORE INSERT ON partners_auditevent
    FOR EACH ROW EXECUTE FUNCTION partners_auditevent_is_stamped();
ALTER TABLE partners_auditevent ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE partners_auditevent ENABLE ALWAYS TRIGGER never_emptied;
REVOKE DELETE ON partners_auditevent FROM dailies_owner;
"""

# Django asks back what the database filled in.
# A partner's pages read its own events, by the policy of equality; the sealer is a worker.
RIGHTS = """
GRANT SELECT (id, at, transaction, database_user) ON partners_auditevent
    TO dailies_web, dailies_staff, dailies_publish;
GRANT SELECT ON partners_auditevent TO dailies_partner, dailies_worker;
GRANT SELECT, INSERT ON partners_auditseal, partners_auditlink TO dailies_worker;
GRANT SELECT ON partners_auditseal, partners_auditlink TO dailies_staff;
"""

APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION partners_auditevent_is_append_only();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION partners_auditevent_is_append_only();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE {table} ENABLE ALWAYS TRIGGER never_emptied;
"""
SQL = (
    STAMPED
    + RIGHTS
    + "".join(
        APPEND_ONLY.format(table=table) for table in ("partners_auditseal", "partners_auditlink")
    )
)


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0013_single_sign_on"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditLink",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("sha256", models.BinaryField(max_length=32)),
            ],
            options={
                "ordering": ["position"],
            },
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("n", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("events", models.BigIntegerField()),
                ("root", models.CharField(max_length=64)),
                ("upto", models.BigIntegerField()),
                ("floor", models.BigIntegerField(default=0)),
                ("restored_from", models.BigIntegerField(null=True)),
            ],
            options={
                "ordering": ["n"],
            },
        ),
        migrations.AddField(
            model_name="auditevent",
            name="database_user",
            field=models.CharField(
                db_default="", editable=False, max_length=140, verbose_name="database user"
            ),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="transaction",
            field=models.BigIntegerField(db_default=0, editable=False),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["transaction", "id"], name="audit_by_transaction"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["action", "-id"], name="audit_of_action"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["at"], name="audit_at"),
        ),
        migrations.AddField(
            model_name="auditlink",
            name="event",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="link",
                to="partners.auditevent",
            ),
        ),
        migrations.AddField(
            model_name="auditlink",
            name="seal",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="links",
                to="partners.auditseal",
            ),
        ),
        migrations.RunSQL(SQL, reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
