from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("engagement", "0005_platform_draws"),
        # that view names its columns; made from here on by fact.* it would have one more
        ("partners", "0008_sharing_pieces"),
    ]

    operations = [
        migrations.AlterField(
            model_name="sharingfact",
            name="visits",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="sharingfact",
            name="new_viewers_measured",
            field=models.BooleanField(default=True),
        ),
    ]
