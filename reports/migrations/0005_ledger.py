"""What the ledger asks: which bundle was opened, and notices of a run that reached nobody."""

import django.db.models.deletion
from django.db import migrations, models

# A member who leaves takes the notices of their runs along, by the partner's own role. Whom of the
# staff to tell of a failure is asked by role.
RIGHTS = """
GRANT SELECT (run_id) ON reports_notice TO dailies_partner;
GRANT SELECT ON partners_user_groups, auth_group TO dailies_worker;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0027_report_policy"),
        ("reports", "0004_whose_turn"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="notice",
            name="notice_is_of_one_thing",
        ),
        migrations.AddField(
            model_name="bundle",
            name="opened_at",
            field=models.DateTimeField(
                blank=True,
                help_text="First looked at or downloaded by its recipient.",
                null=True,
                verbose_name="opened",
            ),
        ),
        migrations.AddField(
            model_name="notice",
            name="run",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="reports.run",
                verbose_name="run",
            ),
        ),
        migrations.AddIndex(
            model_name="bundle",
            index=models.Index(
                condition=models.Q(("state", "failed")),
                fields=["done_at"],
                name="bundle_that_failed",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("state__in", ["failed", "cancelled", "unknown", "bounced"])),
                fields=["done_at"],
                name="delivery_that_failed",
            ),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("bundle__isnull", True),
                        ("grant__isnull", False),
                        ("request__isnull", True),
                        ("run__isnull", True),
                    ),
                    models.Q(
                        ("bundle__isnull", True),
                        ("grant__isnull", True),
                        ("request__isnull", False),
                        ("run__isnull", True),
                    ),
                    models.Q(
                        ("bundle__isnull", False),
                        ("grant__isnull", True),
                        ("request__isnull", True),
                        ("run__isnull", True),
                    ),
                    models.Q(
                        ("bundle__isnull", True),
                        ("grant__isnull", True),
                        ("request__isnull", True),
                        ("run__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="notice_is_of_one_thing",
            ),
        ),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
