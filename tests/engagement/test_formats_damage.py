"""Whatever is done to a file, it lands with every row accounted for, or it is quarantined."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement.formats import Options, Quarantined
from tests.engagement.landing_files import (
    DANMU,
    DANMU_HEADER,
    SEGMENT,
    danmu_csv,
    segments_csv,
    take,
    write,
)

COMMENT = '<d p="1.5,1,25,1,1756728000,0,5c3b5c06,4183321838354432{i}">好&amp;看</d>\n'
LINE = json.dumps(dict(zip(DANMU_HEADER.split(","), DANMU.split(","), strict=True)))
SOUND: dict[str, bytes] = {
    "segments.csv": segments_csv(SEGMENT, good=30).encode(),
    "danmu.csv": danmu_csv(DANMU, good=30).encode(),
    "danmu.jsonl": "\n".join([LINE] * 30).encode(),
    "a.xml": ("<i>\n" + "".join(COMMENT.format(i=i) for i in range(9)) + "</i>").encode(),
    "film.csv": (
        "time,mode,size,color,timestamp,user_id,comment_id,text\n"
        + "1.5,1,25,1,1756728000,0,5c3b5c06,好看\n" * 30
    ).encode(),
}
TOKENS = [
    *(b",", b'"', b"\n", b"\r", b"\0", b"<", b">", b"&", b"&#0;", b"]]>", b"<!DOCTYPE i>"),
    *(b"1e999", b"nan", b"-", b"9" * 400, b"E+16", b"\xff", b"\xe5", b";", b"\t"),
    *(b"{", b"}", b"[", b"null", b"true", b'"\\ud800"', b'"\\u0000"', "😀".encode()),
]
CUT = st.tuples(st.integers(0, 4000), st.sampled_from([0, 1, 2, 30]), st.sampled_from(TOKENS))


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("packed", [False, True])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(CUT, min_size=1, max_size=6))
def test_a_damaged_file_lands_accounted_for_or_is_quarantined(
    tmp_path: Path, name: str, packed: bool, cuts: list[tuple[int, int, bytes]]
) -> None:
    data = bytearray(gzip.compress(SOUND[name]) if packed else SOUND[name])
    for at, gone, token in cuts:
        at %= len(data) + 1
        data[at : at + gone] = token
    path = write(tmp_path, name, bytes(data))
    try:
        landed = take(path, options=Options(title="film"))
    except Quarantined:
        return
    rejected = sum(r.rows for r in landed.rejected.values())
    assert landed.rows_read == (
        landed.table.num_rows + rejected + landed.notes.get("zero_length", 0)
    )
    landed.table.validate(full=True)
