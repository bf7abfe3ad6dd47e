"""What an owner may do with the own team: row-level security keeps each to its partner's rows.

A partner's role changes a member's role and limit and removes members; it adds none, since a
member comes by accepting an invitation.
"""

import django.contrib.postgres.fields
from django.db import migrations, models

RIGHTS = """
GRANT UPDATE (role, limit_titles, limit_families), DELETE ON partners_membership TO dailies_partner;
GRANT SELECT, INSERT, DELETE ON partners_invitation TO dailies_partner;
GRANT USAGE ON SEQUENCE partners_invitation_id_seq TO dailies_partner;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0020_measured_of_holdings_begun"),
    ]

    operations = [
        migrations.AddField(
            model_name="invitation",
            name="limit_families",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=32),
                blank=True,
                null=True,
                size=None,
                verbose_name="only these families",
            ),
        ),
        migrations.AddField(
            model_name="invitation",
            name="limit_titles",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                blank=True,
                null=True,
                size=None,
                verbose_name="only these titles",
            ),
        ),
        migrations.RunSQL(RIGHTS, reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
