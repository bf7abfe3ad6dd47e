"""fanbases: whose fans are they: an actor's, a novel's, an earlier title's, a genre's."""

from __future__ import annotations

from engagement.families import NOT_MEASURED, Resource, Result
from engagement.families.columns import FROM, HIDDEN_REASON, TERRITORY, UNTIL, column
from engagement.families.read import (
    Read,
    arguments_with_children,
    fetch,
    only_reason,
    within_with_children,
)

FANBASES = Resource(
    name="fanbases",
    family="fanbases",
    title={"zh": "粉丝群", "en": "Fanbases"},
    columns=(
        FROM,
        UNTIL,
        TERRITORY,
        column(
            "fan_set", "string", "", "粉丝群", "Fan set",
            "平台按规则定义的粉丝群：看完过某些作品，或看过带某一演员、原著或类型标签的作品；不含本作品自身。",
            "A set defined by rule: who finished certain titles, or watched any title of an actor,"
            " source work or genre; this title itself is left out.",
        ),
        column(
            "viewers_in_common", "integer", "viewers", "共同观看人数", "Viewers in common",
            "该时段内观看本作品且属于该粉丝群的人数（加噪后发布）。",
            "Viewers of the title in the period who are in the fan set, with noise.",
        ),
        column(
            "share_of_title", "number", "share", "占本作品观看人数", "Share of title",
            "共同观看人数除以本作品观看人数（两者均为加噪后的数）。",
            "Viewers in common divided by the title's viewers, both with noise.",
        ),
        column(
            "share_of_fan_set", "number", "share", "占粉丝群", "Share of fan set",
            "共同观看人数除以粉丝群人数；仅自有作品的粉丝群显示。",
            "Viewers in common divided by the fan set's; shown for sets of own titles only.",
        ),
        column(
            "lift", "number", "ratio", "提升度", "Lift",
            "本作品观看者属于该粉丝群的可能性，是全平台观看者的多少倍。",
            "How many times likelier the title's viewers are in the set than the platform's.",
        ),
        column(
            "lift_low", "number", "ratio", "提升度下限", "Lift, lower bound",
            "提升度 95% 区间的下限，已计入噪声。", "Lower end of its 95 % bounds, noise included.",
        ),
        column(
            "lift_high", "number", "ratio", "提升度上限", "Lift, upper bound",
            "提升度 95% 区间的上限，已计入噪声。", "Upper end of its 95 % bounds, noise included.",
        ),
        HIDDEN_REASON,
    ),
)  # fmt: skip


def read(read: Read) -> Result:
    """A row a period, territory and fan set that lies wholly inside a block of the answer.

    Of rows that were made for one partner, those made for the partner who asks. Where there is
    none, one row that says so: whether a fan set waits for a week or will never be there is not
    told, since that would tell of sets.
    """
    rows = fetch(
        'SELECT fact."from", fact.until, fact.territory, fact.fan_set, fact.viewers_in_common,'
        " fact.share_of_title, fact.share_of_fan_set, fact.lift, fact.lift_low, fact.lift_high,"
        " nullif(fact.hidden_reason, ''), fact.release_id::text"
        + within_with_children("wall_fanbases")
        + " AND (fact.partner_id IS NULL OR fact.partner_id = %s)"
        + ' ORDER BY fact."from", fact.territory, fact.viewers_in_common DESC NULLS LAST,'
        " fact.fan_set",
        [*arguments_with_children(read), read.partner_id],
    )
    if not rows:
        return only_reason(read, NOT_MEASURED)
    return Result(
        resource=read.resource,
        asked=read.query,
        answered=read.parts,
        data={name: [row[i] for row in rows] for i, name in enumerate(FANBASES.column_names())},
        releases=tuple(sorted({row[-1] for row in rows})),
        hidden_cells=sum(row[10] is not None for row in rows),
    )
