"""sharing: where do they pass the link on, and who comes back."""

from __future__ import annotations

from engagement.families import (
    BELOW_FLOOR,
    NOT_MEASURED,
    REACHES_OUTSIDE,
    WAITING,
    Cell,
    Resource,
    Result,
)
from engagement.families.columns import CONTENT_SECOND, TERRITORY, column
from engagement.families.read import Read, arguments, block_arrays, fetch, read_curves, within

SHARING = Resource(
    name="sharing",
    family="sharing",
    title={"zh": "分享", "en": "Sharing"},
    columns=(
        column(
            "day", "date", "", "日期", "Day",
            "分享的日期（平台时区）。", "The day of the shares, in the platform's zone.",
        ),
        TERRITORY,
        column(
            "channel", "string", "", "渠道", "Channel",
            "链接被分享到的渠道，如微信、微博。", "Where the link was passed on, such as wechat.",
        ),
        column(
            "shares", "integer", "shares", "分享数", "Shares",
            "当日的分享次数。", "Times the link was passed on that day.",
        ),
        column(
            "visits", "integer", "visits", "回访", "Visits",
            "通过当日的分享至今带来的访问次数；若有分享未附该数则为空。",
            "Visits that the day's shares have brought until now; empty where one of them came"
            " without the number.",
        ),
        column(
            "new_viewers", "integer", "viewers", "新观众", "New viewers",
            "通过这些分享首次观看本作品的人数，含之前标为 waiting 的各日；每个数至少 50 人。",
            "Who first watched the title through the shares of this day and of the days before it"
            " that are marked waiting; at least 50, or none.",
        ),
        column(
            "hidden_reason", "string", "", "未显示原因", "Why hidden",
            "新观众为空的原因。waiting：与后续日期合并；below_floor：少于 50 人，或可由他数推出；"
            "reaches_outside：含所问时段之外的日期；not_measured：未提供。"
            "回访亦为空时写作「列:原因」，以 ; 分隔。",
            "Why new_viewers is empty. waiting: joins later days; below_floor: fewer than 50, or"
            " would tell of fewer; reaches_outside: counts days outside of the answer;"
            " not_measured: not handed over. Where visits is empty too: column:reason, joined"
            " by ;.",
        ),
    ),
)  # fmt: skip

SHARING_OFFSETS = Resource(
    name="sharing_offsets",
    family="sharing",
    title={"zh": "分享位置", "en": "Where they share"},
    columns=(
        CONTENT_SECOND,
        column(
            "shares", "integer", "shares", "分享数", "Shares",
            "在该秒发起的分享次数。没有位置的分享不计入。",
            "Shares made at this second. Those without an offset are in none.",
        ),
    ),
)  # fmt: skip


def read(read: Read) -> Result:
    """A row a day, territory and channel. New viewers of days that are not wholly inside one
    block of the answer are withheld."""
    inside = (
        "EXISTS (SELECT FROM unnest(%s::text[], %s::date[], %s::date[])"
        " AS block(territory, since, until)"
        " WHERE block.territory = fact.territory AND block.since <= fact.new_since"
        " AND fact.until <= block.until)"
    )
    blocks = block_arrays(read.reach)
    rows = fetch(
        'SELECT fact."from", fact.territory, fact.channel, fact.shares, fact.visits,'
        f" CASE WHEN {inside} THEN fact.new_viewers END,"
        f" CASE WHEN NOT fact.new_viewers_measured THEN '{NOT_MEASURED}'"
        f" WHEN fact.new_since IS NULL THEN '{WAITING}'"
        f" WHEN NOT {inside} THEN '{REACHES_OUTSIDE}'"
        f" WHEN fact.new_viewers IS NULL THEN '{BELOW_FLOOR}' END,"
        " fact.release_id::text"
        + within("wall_sharing")
        + ' ORDER BY fact."from", fact.territory, fact.channel',
        [*blocks, *blocks, *arguments(read)],
    )
    names = SHARING.column_names()
    data: dict[str, list[Cell]] = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    data["hidden_reason"] = [_reason(row[4], row[6]) for row in rows]
    return Result(
        resource=read.resource,
        asked=read.query,
        answered=read.parts,
        data=data,
        releases=tuple(sorted({row[-1] for row in rows})),
        hidden_cells=sum((row[4] is None) + (row[6] is not None) for row in rows),
    )


def _reason(visits: int | None, new_viewers: str | None) -> str | None:
    """Why something of a row is empty: the reason of its new viewers, or by column."""
    if visits is not None:
        return new_viewers
    reasons = [f"visits:{NOT_MEASURED}"]
    return ";".join([*reasons, f"new_viewers:{new_viewers}"] if new_viewers else reasons)


def read_offsets(read: Read) -> Result:
    """Shares per content second, summed over the answer; no rows where nothing was shared."""
    rows = read_curves(read, "wall_sharing_offset", "shares", series=1)
    shares = rows.sums[0].curves[0].tolist() if rows.sums else []  # grain window: one sum
    return Result(
        resource=read.resource,
        asked=read.query,
        answered=read.parts,
        data={
            "content_second": list(range(len(shares))),
            "shares": shares,
        },
        releases=rows.releases,
        extra={"shares": sum(s.plays for s in rows.sums), "covered": rows.covered},
    )
