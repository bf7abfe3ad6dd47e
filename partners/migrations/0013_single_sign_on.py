import uuid

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Signing in reads the provider and its domains and binds a subject, as the web's own role; a
# partner's role and the workers have no right on any of it.
WALL = """
GRANT SELECT ON partners_identityprovider, partners_claimeddomain, partners_externalidentity
    TO dailies_web;
GRANT INSERT ON partners_externalidentity TO dailies_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON partners_identityprovider, partners_claimeddomain,
    partners_externalidentity TO dailies_staff;
GRANT USAGE ON SEQUENCE partners_externalidentity_id_seq TO dailies_web, dailies_staff;
GRANT USAGE ON SEQUENCE partners_claimeddomain_id_seq TO dailies_staff;
"""

OF_A_PARTNER = ("partners_identityprovider", "partners_claimeddomain")
SECURITY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_partner ON {table} TO dailies_partner
    USING (partner_id = nullif(current_setting('dailies.partner_id', true), '')::uuid)
    WITH CHECK (partner_id = nullif(current_setting('dailies.partner_id', true), '')::uuid);
CREATE POLICY of_all ON {table}
    TO dailies_web, dailies_staff, dailies_worker, dailies_owner USING (true) WITH CHECK (true);
"""


def _wall() -> str:
    return "".join([WALL, *(SECURITY.format(table=table) for table in OF_A_PARTNER)])


class Migration(migrations.Migration):
    dependencies = [
        ("partners", "0012_credential"),
    ]

    operations = [
        migrations.CreateModel(
            name="IdentityProvider",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "issuer",
                    models.CharField(
                        help_text="Exactly as the provider writes it in its tokens, with or without a slash.",
                        max_length=500,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^(https://[^\\s/?#@]+|http://(localhost|127\\.0\\.0\\.1)(:\\d+)?)(/[^\\s?#]*)?$",
                                "An https address as the provider writes it, without ? and #.",
                            )
                        ],
                        verbose_name="issuer",
                    ),
                ),
                ("client_id", models.CharField(max_length=300, verbose_name="client id")),
                ("client_secret_encrypted", models.TextField(blank=True, editable=False)),
                ("enabled", models.BooleanField(default=False, verbose_name="enabled")),
                (
                    "enforced",
                    models.BooleanField(
                        default=False,
                        help_text="The partner's pages open by single sign-on only; passwords do not.",
                        verbose_name="enforced",
                    ),
                ),
                (
                    "vouches_second_factor",
                    models.BooleanField(
                        default=False,
                        help_text="Where the provider says that it asked for a second factor, the portal asks for none.",
                        verbose_name="second factor at the provider",
                    ),
                ),
                (
                    "partner",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="identity_provider",
                        to="partners.partner",
                        verbose_name="partner",
                    ),
                ),
            ],
            options={
                "verbose_name": "identity provider",
                "verbose_name_plural": "identity providers",
                "ordering": ["partner"],
            },
        ),
        migrations.CreateModel(
            name="ExternalIdentity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("subject", models.CharField(max_length=255, verbose_name="subject")),
                ("bound_at", models.DateTimeField(auto_now_add=True, verbose_name="bound at")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="external_identities",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="identities",
                        to="partners.identityprovider",
                        verbose_name="provider",
                    ),
                ),
            ],
            options={
                "verbose_name": "external identity",
                "verbose_name_plural": "external identities",
            },
        ),
        migrations.CreateModel(
            name="ClaimedDomain",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "domain",
                    models.CharField(
                        max_length=253,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
                            )
                        ],
                        verbose_name="domain",
                    ),
                ),
                ("claimed_at", models.DateTimeField(auto_now_add=True, verbose_name="claimed at")),
                (
                    "verified_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="verified at"),
                ),
                (
                    "evidence",
                    models.CharField(
                        blank=True,
                        editable=False,
                        help_text="How it was verified: the DNS record that was seen, the letter, its date.",
                        max_length=300,
                        verbose_name="evidence",
                    ),
                ),
                (
                    "claimed_by",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="claimed by",
                    ),
                ),
                (
                    "partner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="claimed_domains",
                        to="partners.partner",
                        verbose_name="partner",
                    ),
                ),
                (
                    "verified_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="verified by",
                    ),
                ),
            ],
            options={
                "verbose_name": "claimed domain",
                "verbose_name_plural": "claimed domains",
                "ordering": ["domain"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("verified_by__isnull", True),
                            models.Q(("verified_by", models.F("claimed_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="domain_needs_two_people",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("evidence", ""),
                                ("verified_at__isnull", True),
                                ("verified_by__isnull", True),
                            ),
                            models.Q(
                                ("verified_at__isnull", False),
                                ("verified_by__isnull", False),
                                models.Q(("evidence", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="verified_domain_says_by_whom_and_how",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="identityprovider",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("enforced", True), _negated=True), ("enabled", True), _connector="OR"
                ),
                name="enforced_single_sign_on_is_enabled",
            ),
        ),
        migrations.AddConstraint(
            model_name="externalidentity",
            constraint=models.UniqueConstraint(
                fields=("provider", "subject"), name="subject_is_one_login"
            ),
        ),
        migrations.AddConstraint(
            model_name="externalidentity",
            constraint=models.UniqueConstraint(
                fields=("provider", "user"), name="login_has_one_subject"
            ),
        ),
        migrations.RunSQL(_wall(), reverse_sql=migrations.RunSQL.noop, elidable=False),
    ]
