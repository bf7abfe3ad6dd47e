"""Columns that several families share."""

from __future__ import annotations

from engagement.families import Column


def column(name: str, type: str, unit: str, zh: str, en: str, zh_is: str, en_is: str) -> Column:
    return Column(name, type, unit, {"zh": zh, "en": en}, {"zh": zh_is, "en": en_is})


FROM = column(
    "from", "date", "", "起", "From",
    "统计的第一天（平台时区）。", "The first day counted, in the platform's zone.",
)  # fmt: skip
UNTIL = column(
    "until", "date", "", "止（不含）", "Until",
    "统计的最后一天的次日。", "The day after the last day counted.",
)  # fmt: skip
TERRITORY = column(
    "territory", "string", "", "国家/地区", "Territory",
    "ISO 3166-1 代码；* 为全部国家/地区。", "ISO 3166-1 code; * is all territories.",
)  # fmt: skip
CONTENT_SECOND = column(
    "content_second", "integer", "s", "内容秒", "Content second",
    "作品内的位置：第 t 秒为 [t, t+1)。", "Position in the title: second t is [t, t+1).",
)  # fmt: skip
HIDDEN_REASON = column(
    "hidden_reason", "string", "", "未显示原因", "Why hidden",
    "below_floor：少于 50 人；waiting：等待与后续日期合并；not_measured：未统计；"
    "too_uncertain：误差过大；too_few_partners：合作方不足五家；reaches_outside：含所问时段之外的日期。"
    "只涉及某列时写作“列名:原因”，以分号分隔；没有任何数字时，回答为只写原因的一行。",
    "below_floor: fewer than 50 viewers; waiting: joins later days; not_measured: not counted;"
    " too_uncertain: its error is too large; too_few_partners: not enough partners to pool;"
    " reaches_outside: counts days outside of the answer. Of a column alone: column:reason, joined"
    " by ;. An answer without numbers is one row with its reason.",
)  # fmt: skip
