"""geography: where are they."""

from __future__ import annotations

from engagement.families import Resource, Result
from engagement.families.columns import FROM, TERRITORY, UNTIL, column
from engagement.families.people import COLUMNS, read_people
from engagement.families.read import Read

GEOGRAPHY = Resource(
    name="geography",
    family="geography",
    title={"zh": "地区", "en": "Geography"},
    columns=(
        FROM,
        UNTIL,
        TERRITORY,
        column(
            "region", "string", "", "地区", "Region",
            "ISO 3166-2 代码；人数不足的省份并入所属大区（如 CN-east-rest），再不足并入 rest。",
            "ISO 3166-2 code; provinces with too few are merged to what is left of their greater"
            " area (CN-east-rest), and then to rest. * is all.",
        ),
        *COLUMNS,
    ),
)  # fmt: skip


def read(read: Read) -> Result:
    return read_people(read, "wall_geography", ("region",))
