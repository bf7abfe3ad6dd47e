"""The names of what a cell counts: ages, genders, regions, channels; in the reader's language.

Words that the platform's files bring along and nobody named here stand as they are written.
"""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from reports.render import wording

PROVINCES = {
    "BJ": ("北京", "Beijing"), "TJ": ("天津", "Tianjin"), "HE": ("河北", "Hebei"),
    "SX": ("山西", "Shanxi"), "NM": ("内蒙古", "Inner Mongolia"), "LN": ("辽宁", "Liaoning"),
    "JL": ("吉林", "Jilin"), "HL": ("黑龙江", "Heilongjiang"), "SH": ("上海", "Shanghai"),
    "JS": ("江苏", "Jiangsu"), "ZJ": ("浙江", "Zhejiang"), "AH": ("安徽", "Anhui"),
    "FJ": ("福建", "Fujian"), "JX": ("江西", "Jiangxi"), "SD": ("山东", "Shandong"),
    "HA": ("河南", "Henan"), "HB": ("湖北", "Hubei"), "HN": ("湖南", "Hunan"),
    "GD": ("广东", "Guangdong"), "GX": ("广西", "Guangxi"), "HI": ("海南", "Hainan"),
    "CQ": ("重庆", "Chongqing"), "SC": ("四川", "Sichuan"), "GZ": ("贵州", "Guizhou"),
    "YN": ("云南", "Yunnan"), "XZ": ("西藏", "Tibet"), "SN": ("陕西", "Shaanxi"),
    "GS": ("甘肃", "Gansu"), "QH": ("青海", "Qinghai"), "NX": ("宁夏", "Ningxia"),
    "XJ": ("新疆", "Xinjiang"),
}  # fmt: skip
AREAS = {
    "north": ("华北", "North China"),
    "northeast": ("东北", "Northeast China"),
    "east": ("华东", "East China"),
    "central": ("华中", "Central China"),
    "south": ("华南", "South China"),
    "southwest": ("西南", "Southwest China"),
    "northwest": ("西北", "Northwest China"),
}
CHANNELS = {
    "wechat": ("微信", "WeChat"),
    "wechat-moments": ("微信朋友圈", "WeChat Moments"),
    "weibo": ("微博", "Weibo"),
    "xiaohongshu": ("小红书", "Xiaohongshu"),
    "qq": ("QQ", "QQ"),
    "douyin": ("抖音", "Douyin"),
    "copy-link": ("复制链接", "Copied link"),
}
_AGES = re.compile(r"(\d+)-(\d+)|(\d+)\+")


def _chosen(pair: tuple[str, str], language: str) -> str:
    return pair[0] if wording.is_chinese(language) else pair[1]


def region(code: str, language: str) -> str:
    """CN-GD, CN-east (an area), CN-east-rest (what is left of it), rest, other, unknown, *."""
    fixed = {
        "*": _("all regions"),
        "rest": _("other regions"),
        "other": _("other territories"),
        "unknown": _("unknown region"),
    }
    if code in fixed:
        return fixed[code]
    country, _dash, rest = code.partition("-")
    if country == "CN":
        if rest in PROVINCES:
            return _chosen(PROVINCES[rest], language)
        area, left, _end = rest.partition("-rest")
        if area in AREAS:
            name = _chosen(AREAS[area], language)
            return _("%(area)s, the others") % {"area": name} if left else name
    return code


def age(band: str) -> str:
    """18-24, 41+, 51+|unknown, unknown, *."""
    if band == "*":
        return _("all ages")
    return _(" and ").join(_one_age(part) for part in band.split("|"))


def _one_age(part: str) -> str:
    found = _AGES.fullmatch(part)
    if found is None:
        return _("unknown age") if part == "unknown" else part
    if found[3]:
        return _("%(age)s and over") % {"age": found[3]}
    return _("%(from)s to %(to)s") % {"from": found[1], "to": found[2]}


def gender(code: str) -> str:
    """female, male, unknown, or several with | between; *."""
    known = {"female": _("women"), "male": _("men"), "unknown": _("unknown")}
    if code == "*":
        return _("all genders")
    return ", ".join(known.get(part, part) for part in code.split("|"))


def channel(code: str, language: str) -> str:
    return _chosen(CHANNELS[code], language) if code in CHANNELS else code


def territory(code: str, language: str) -> str:
    """A country's name; `*` is all territories together, `other` those that nobody holds."""
    if code == "*":
        return _("all territories")
    if code == "other":
        return _("other territories")
    return wording.territory(code, language)


def territories(codes: tuple[str, ...], language: str) -> str:
    comma = "、" if wording.is_chinese(language) else ", "
    return comma.join(territory(code, language) for code in codes)


def reason(code: str) -> str:
    """Why a cell is empty, in words."""
    return {
        "below_floor": _("fewer viewers than the floor of the platform"),
        "waiting": _("waits until enough viewers are together"),
        "not_measured": _("not measured yet"),
        "too_uncertain": _("too uncertain to be shown"),
        "too_few_partners": _("too few partners to compare with"),
        "reaches_outside": _("counts days outside of the period"),
    }.get(code, code)
