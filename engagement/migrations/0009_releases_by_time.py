"""The list of releases at hundreds of thousands: its order and its days come by index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("engagement", "0008_bytes_as_they_are"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="release",
            index=models.Index(fields=["-started_at"], name="release_newest"),
        ),
        migrations.AddIndex(
            model_name="release",
            index=models.Index(fields=["day"], name="release_of_day"),
        ),
    ]
