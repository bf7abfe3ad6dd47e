"""What the lexicon reads in a comment, and what it must not."""

from __future__ import annotations

import pytest

from engagement.reactions import reactions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("哈哈哈哈", {"laughter"}),
        ("２３３３３", {"laughter"}),
        ("頬袋ぱねえｗ", {"laughter"}),
        ("草", {"laughter"}),
        ("草原真大", set()),
        ("www.example.com", set()),
        ("泪目了", {"tears"}),
        ("笑死 又哭了", {"laughter", "tears"}),
        ("卧槽！太好看了", {"shock", "praise"}),
        ("我去", {"shock"}),
        ("我去看看", set()),
        ("不好看", {"complaint"}),
        ("不厉害", set()),
        ("YYDS", {"praise"}),
        ("つまらない", {"complaint"}),
        ("第一集", set()),
    ],
)
def test_a_comment_expresses(text: str, expected: set[str]) -> None:
    assert reactions(text) == expected
