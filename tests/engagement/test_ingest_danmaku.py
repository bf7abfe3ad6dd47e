"""Every danmaku file of other people's tools from the file to the facts, against the manifest."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from django.db.models import Sum

from engagement.models import DanmuComment, DanmuFact, Rejected, Source
from tests.engagement.landing_files import manifest
from tests.engagement.one_film import TITLES, ingest
from tests.engagement.test_formats_danmaku import FILES, REJECTED, RENDERINGS, danmaku

ACTS = {"musical-hamilton.csv.gz": ("P2", "P3")}  # one file of two videos
# Counted apart from the pipeline, as rows alike in source row id, else in offset, time, sender
# and text.
DUPLICATES = {
    "acfun-ac940133.json.gz": 432,
    "bilibili_ep1746689_dplayer.json.gz": 163,
    "iqiyi_zhuixu_one_episode.csv": 12,
    "danmaku.csv": 2,
}
# Comments of nothing but blanks count in their second and have nothing to show.
BLANK = {
    "file01.csv.gz": 3,
    "file06.csv.gz": 1,
    "file07.csv.gz": 3,
    "anime-51816463.xml.gz": 1,
    "danmaku.csv": 1,
}


@pytest.mark.slow
@pytest.mark.django_db
def test_every_danmaku_file_is_published_as_the_manifest_counts(
    folder: Path, real_data: Path
) -> None:
    titles, lines, files = [TITLES], ["file,part,title_id\n"], {}
    for n, (place, name) in enumerate(danmaku()):
        (folder / place).mkdir(exist_ok=True)
        (folder / place / name).symlink_to(real_data / place / name)
        if ".ass" in name:
            continue
        files[f"{place}/{name}"] = keys = []
        for part in ACTS.get(name, ("",)):
            keys.append(f"title-{n}{part.lower()}")
            titles.append(f"{keys[-1]},episode,{name},,0,,,,,,\n")
            lines.append(f"{place}/{name},{part},{keys[-1]}\n")
    (folder / "titles.csv").write_text("".join(titles))
    (folder / "titles.map.csv").write_text("".join(lines))

    summary = ingest(folder, day=date(2024, 1, 1))

    assert len(summary.quarantined) == RENDERINGS
    assert all(
        name.endswith(".ass.gz") and "a rendering" in why
        for name, why in summary.quarantined.items()
    )
    seen, expected = {}, {}
    for name, keys in files.items():
        source = Source.objects.get(name=name, state="live")
        rejected = dict(Rejected.objects.filter(source=source).values_list("reason", "rows"))
        published = DanmuFact.objects.filter(title__key__in=keys, territory="*")
        shown = DanmuComment.objects.filter(title__key__in=keys).count()
        seen[name] = (
            source.rows_read, rejected, published.aggregate(n=Sum("comments"))["n"], shown
        )  # fmt: skip
        place, file = name.split("/")
        rows = manifest()[place, file]
        refused = dict(REJECTED.get(file, {}))
        if DUPLICATES.get(file):
            refused["duplicate"] = DUPLICATES[file]
        live = rows - sum(refused.values())
        expected[name] = (rows, refused, live, live - BLANK.get(file, 0))
    assert {n: (v, expected[n]) for n, v in seen.items() if v != expected[n]} == {}
    assert len(seen) == FILES - RENDERINGS
    assert summary.duplicates == sum(DUPLICATES.values())
    assert DanmuFact.objects.values("title").distinct().count() == len(seen) + 1
