"""demographics: how old are they, which gender."""

from __future__ import annotations

from engagement.families import Resource, Result
from engagement.families.columns import FROM, TERRITORY, UNTIL, column
from engagement.families.people import COLUMNS, read_people
from engagement.families.read import Read

DEMOGRAPHICS = Resource(
    name="demographics",
    family="demographics",
    title={"zh": "年龄与性别", "en": "Demographics"},
    columns=(
        FROM,
        UNTIL,
        TERRITORY,
        column(
            "age_band", "string", "", "年龄段", "Age band",
            "人数不足时与相邻年龄段合并，名称即合并后的范围；* 为全部。18 岁以下计入 unknown。",
            "Neighbouring bands are merged where too few; the name says which. * is all."
            " Under-18s are inside unknown.",
        ),
        column(
            "gender", "string", "", "性别", "Gender",
            "female、male 或 unknown；| 表示合并，* 为全部。",
            "female, male or unknown; | stands between merged ones, * is all.",
        ),
        *COLUMNS,
    ),
)  # fmt: skip


def read(read: Read) -> Result:
    return read_people(read, "wall_demographics", ("age_band", "gender"))
