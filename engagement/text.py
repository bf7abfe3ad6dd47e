"""What people wrote: masking what points at a person, and the form in which repeats count.

`mask` looks for phone numbers, e-mail addresses, street addresses with a house number, WeChat
and QQ ids, identity numbers and tokens. Comments are full of numbers that are none of these
(233333, 2024, 12:30), so a bare run of digits is masked only where its shape is that of a
number with an owner.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

HIDDEN = "[已隐藏]"

_CALM = 3
"""A number with an owner has at least so many different digits; 6666666666 has not."""

_NUMERALS = str.maketrans("〇零一幺二两三四五六七八九", "0011223456789")

_SEPARATED = r"[\s\-·]"
_AREA = r"0(?:10|2\d|[3-9]\d{2})"
_LABEL = r"[\s:：=＝是为号码加+➕→]{0,4}"
_HAN = r"[\u4e00-\u9fff]"
_UNIT = r"(?:(?:\d{1,5}|[A-Za-z])?(?:号?院|号?楼|栋|幢|座|单元|层|室|房|户|号|-)|\d{1,5})"


def _varied(digits: str) -> bool:
    """Enough different digits where a word before them says whose number this is."""
    return len(set(re.sub(r"\D", "", digits))) >= _CALM


def _calm(digits: str) -> bool:
    """Whether the digits could be a number with an owner, neither a laugh nor a count."""
    only = re.sub(r"\D", "", digits)
    ladder = "0123456789" * 4
    return len(set(only)) >= _CALM and only not in ladder and only not in ladder[::-1]


def _id(found: str) -> bool:
    """Whether what stands behind "微信" or "QQ" could be an id there."""
    if found.isdigit():
        return _varied(found)
    return len(set(found.lower())) >= 4 and any(c.isdigit() or c in "_-" for c in found)


def _token(found: str) -> bool:
    letters = {c for c in found.lower() if c.isalpha()}
    digits = sum(c.isdigit() for c in found)
    return len(set(found)) >= 10 and len(letters) >= 4 and digits >= 4


def _always(found: str) -> bool:
    return True


_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = tuple(
    (re.compile(pattern, re.I), owned)
    for pattern, owned in (
        # an e-mail address
        (r"[a-z0-9._%+\-]{1,64}\s?@\s?[a-z0-9\-]{1,63}(?:\.[a-z0-9\-]{1,63}){1,4}", _always),
        # keys and tokens by their beginnings; JSON web tokens; UUIDs
        (r"\b(?:sk|pk|gh[pousr]|xox[abp])[-_][a-z0-9_\-]{16,}", _always),
        (r"\bAKIA[0-9A-Z]{16}\b", _always),
        (r"\beyJ[\w\-]{8,}\.[\w\-]{8,}(?:\.[\w\-]*)?", _always),
        (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", _always),
        (r"(?<![a-z0-9])[a-z0-9_\-+]{24,}={0,2}", _token),
        # an identity number; a bank card or another long number
        (r"(?<!\d)[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])[0-3]\d{4}[\dx](?![\da-z])", _calm),
        (r"(?<!\d)\d{4}(?:[\s\-]\d{4}){3}(?:[\s\-]?\d{1,3})?(?!\d)", _calm),
        (r"(?<![\d.])\d{15,}(?![\d.])", lambda found: _calm(found) and len(set(found)) >= 5),
        # a mobile number: together, 3-4-4, or digit by digit
        (r"(?<!\d)(?:\+?86[\s\-]?)?1[3-9]\d{9}(?!\d)", _calm),
        (
            rf"(?<!\d)(?:\+?86[\s\-]?)?1[3-9]\d{_SEPARATED}\d{{4}}{_SEPARATED}\d{{4}}(?!\d)",
            _calm,
        ),
        (rf"(?<!\d)1{_SEPARATED}[3-9](?:{_SEPARATED}\d){{9}}(?!{_SEPARATED}?\d)", _calm),
        # a landline with its area code, a 400 number, a number abroad
        (rf"(?<!\d)(?:\({_AREA}\)\s?|{_AREA}[\s\-]?)\d{{7,8}}(?!\d)", _calm),
        (r"(?<!\d)400[\s\-]?\d{3}[\s\-]?\d{4}(?!\d)", _calm),
        (r"\+\d{1,3}(?:[\s\-]?\d){8,12}(?!\d)", _calm),
        (rf"(?:电话|手机|座机|热线|tel\b|phone\b){_LABEL}(?P<id>\d(?:[\s\-]?\d){{5,13}})", _varied),
        # WeChat and QQ
        (
            r"(?:微信|威信|薇信|维信|徽信|卫星号|[加+➕]\s?微|[加+➕]\s?薇|[加+➕]\s?v|v信|weixin|wechat"
            rf"|(?<![a-z])(?:vx|wx|v)(?=[\s:：=号是])|(?<![a-z])(?:vx|wx)(?=\d)|薇(?=[\s:：=]?[a-z\d]))"
            rf"{_LABEL}(?P<id>[a-z0-9][a-z0-9_\-]{{4,19}})",
            _id,
        ),
        (
            r"(?:微信号|加我?微信|微信\s?[:：]|v信\s?[:：]|weixin\s?[:：]|wechat\s?[:：]"
            rf"|(?<![a-z])(?:vx|wx)\s?[:：]){_LABEL}(?P<id>[a-z][a-z0-9_\-]{{5,19}})(?![a-z0-9_\-])",
            lambda found: len(set(found.lower())) >= 4,
        ),
        (r"(?<![a-z])(?:vx|wx)(?P<id>[a-z][a-z0-9_\-]*\d[a-z0-9_\-]{3,18})", _id),
        (
            r"(?:(?<![a-z])qq|扣扣|扣号|企鹅号?|球球号?|(?<![a-z])q(?=[\s:：号群]))"
            rf"(?:群号?|号码?)?{_LABEL}(?P<id>\d(?:\s?\d){{4,11}})(?!\d)",
            _varied,
        ),
        (rf"群号{_LABEL}(?P<id>\d{{6,11}})(?!\d)", _varied),
        (rf"[加进入]群{_LABEL}(?P<id>\d{{6,11}})(?!\d)", _varied),
        # an address: a street or estate, and a house number
        (
            rf"(?:{_HAN}{{2,5}}(?:省|市|区|县|镇|乡)){{0,3}}{_HAN}{{1,4}}(?:路|街|大道|巷|弄|胡同)"
            rf"(?:[东南西北中]段?)?\s?\d{{1,5}}\s?(?:号|弄)(?!线|机|位|选手|球|演员|技师|嘉宾)(?:\s?{_UNIT}){{0,12}}",
            _always,
        ),
        (
            rf"(?:{_HAN}{{2,6}}(?:小区|花园|新村|家园|公寓|大厦))?\s?\d{{1,4}}\s?(?:号楼|栋|幢)\s?"
            rf"(?:{_UNIT}\s?){{0,6}}\d{{1,5}}\s?(?:单元|室|房|号)?(?:\s?{_UNIT}){{0,6}}",
            lambda found: bool(re.search(r"单元|室|房|小区|花园|新村|家园|公寓|大厦", found)),
        ),
    )
)

_WORTH_A_LOOK = re.compile(
    r"[@＠]|(?:[\d①-⑨]\D{0,2}){5}|[a-zａ-ｚ\d_\-]{5}|[\d①-⑨]\s?(?:号|弄|栋|幢)|[〇零一幺二两三四五六七八九\d]{11}",
    re.I,
)
"""Every pattern needs one of these; nearly all comments have none."""

_SPOKEN_MOBILE = re.compile(r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])")


def mask(text: str) -> str:
    """`text` with what points at a person replaced by `[已隐藏]`; masking twice changes nothing."""
    if _WORTH_A_LOOK.search(text) is None:
        return text
    shadow = _shadow(text)
    hidden = [span for pattern, owned in _PATTERNS for span in _spans(pattern, owned, shadow)]
    spoken = shadow.translate(_NUMERALS)
    hidden += _spans(_SPOKEN_MOBILE, _calm, spoken)
    if not hidden:
        return text
    pieces: list[str] = []
    at = 0
    for start, end in _joined(hidden):
        pieces += [text[at:start], HIDDEN]
        at = end
    return "".join([*pieces, text[at:]])


def normalised(text: str) -> str:
    """The form in which two comments are the same comment: NFKC, trimmed."""
    return unicodedata.normalize("NFKC", text).strip()


def _shadow(text: str) -> str:
    """`text` in plain digits and letters, character for character."""
    if text.isascii():
        return text
    return "".join(_plain(c) for c in text)


def _plain(character: str) -> str:
    if character < "\u0080" or "\u4e00" <= character <= "\u9fff":
        return character
    plain = unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 else character


def _spans(
    pattern: re.Pattern[str], owned: Callable[[str], bool], shadow: str
) -> list[tuple[int, int]]:
    group = "id" if "id" in pattern.groupindex else 0
    return [found.span(group) for found in pattern.finditer(shadow) if owned(found.group(group))]


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping and touching spans as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
