"""viewing: how many people, how long, on what, did they finish."""

from __future__ import annotations

from engagement.families import Resource
from engagement.families.columns import FROM, HIDDEN_REASON, TERRITORY, UNTIL, column

VIEWING = Resource(
    name="viewing",
    family="viewing",
    columns=(
        FROM,
        UNTIL,
        TERRITORY,
        column(
            "device", "string", "", "设备", "Device",
            "* 为全部设备的准确合计；单个设备仅在满足最低人数时列出。",
            "* is the exact total of all devices; single devices only where the floor allows.",
        ),
        column(
            "plays", "integer", "plays", "播放次数", "Plays",
            "播放了至少 1 秒的会话数。", "Sessions that played at least one second.",
        ),
        column(
            "viewers", "integer", "viewers", "观看人数", "Viewers",
            "不同观看者的人数。单日为准确值；多日为估计值（≈），并给出 95% 区间。",
            "Distinct viewers. Exact for one day; over more days an estimate (≈) with its 95 % bounds.",
        ),
        column(
            "viewers_low", "integer", "viewers", "观看人数下限", "Viewers, lower bound",
            "观看人数 95% 区间的下限。", "Lower end of the 95 % bounds of viewers.",
        ),
        column(
            "viewers_high", "integer", "viewers", "观看人数上限", "Viewers, upper bound",
            "观看人数 95% 区间的上限。", "Upper end of the 95 % bounds of viewers.",
        ),
        column(
            "watch_seconds", "integer", "s", "观看时长", "Watch seconds",
            "播放的内容秒数；同一秒播放两次计两次。",
            "Content seconds played; a second played twice counts twice.",
        ),
        column(
            "completions", "integer", "plays", "完播", "Completions",
            "到达片长 90% 的会话数。", "Sessions that reached 90 % of the runtime.",
        ),
        column(
            "finishers", "integer", "viewers", "完播人数", "Finishers",
            "在任一会话中完播的不同观看者人数；多日为估计值。",
            "Distinct viewers who completed in any session; over more days an estimate.",
        ),
        column(
            "carried_on", "integer", "viewers", "续播人数", "Carried on",
            "当日观看本集、且当日或之前看过上一集的人数。",
            "Viewers of the day who had played the episode before on that day or earlier.",
        ),
        HIDDEN_REASON,
    ),
)  # fmt: skip
