import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("engagement", "0004_all_families"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="noisedtable",
            name="draw_once",
        ),
        migrations.AddField(
            model_name="noisedtable",
            name="fan_set",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="engagement.fansetversion",
            ),
        ),
        migrations.AlterField(
            model_name="noisedtable",
            name="title",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="engagement.title",
            ),
        ),
        migrations.AddConstraint(
            model_name="noisedtable",
            constraint=models.UniqueConstraint(
                fields=("title", "fan_set", "family", "from_day", "until", "draw"),
                name="draw_once",
                nulls_distinct=False,
            ),
        ),
    ]
