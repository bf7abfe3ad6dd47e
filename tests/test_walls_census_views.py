"""The census of the views: each a barrier, under its registered condition, read by the reader."""

from __future__ import annotations

import re

import pytest

from engagement.roles import OWNER, PUBLISH, READER
from tests.census import CURRENT, OF_THE_WEB, may, rows, tables
from tests.walls import FACT_VIEWS

LIVE = """
e.partner_id = {current} | e.title_id = {title} | {family} = ANY e.families
| fact.territory = ANY e.territories OR '*' = ANY e.territories
| current_setting'dailies.exit', true = ANY e.exits
| e.data_from <= {since} | fact.until <= e.data_until
| e.valid_from <= now | e.valid_until IS NULL OR now < e.valid_until
| g.partner_id = e.partner_id | g.state = 'approved' | g.approved_by_id IS NOT NULL
| g.revoked_at IS NULL | p.suspended_at IS NULL
"""

CHILDREN = "fact.counted IS NULL OR NOT EXISTS SELECT FROM unnestfact.counted childid"

FAMILY_OF = {
    "wall_viewer_sketch": "'viewing'",
    "wall_danmu_comment": "'danmu'",
    "wall_discussion_post": "'discussion'",
    "wall_sharing_offset": "'sharing'",
    "wall_typical": "fact.family",
    "wall_restatement": "fact.family",
    "wall_adjustment": "fact.family",
}

COUNTING = {
    "wall_viewing", "wall_viewer_sketch", "wall_demographics", "wall_geography", "wall_fanbases"
}  # fmt: skip


def plain(sql: str) -> str:
    """Without casts, brackets and line ends, which servers write differently."""
    sql = re.sub(r"::(text|uuid|character varying)(\[\])?", "", sql)
    return " ".join(re.sub(r"[()]", "", sql).split()).lower()


def definition(view: str) -> str:
    [(text,)] = rows("SELECT pg_get_viewdef(%s::regclass)", view)
    return plain(str(text)).replace("and counted is null", "and fact.counted is null")


def live(family: str, *, title: str = "fact.title_id", since: str = 'fact."from"') -> str:
    current = plain(CURRENT)
    conditions = LIVE.format(current=current, family=family, title=title, since=since)
    return " and ".join(plain(c) for c in conditions.split("|"))


def test_every_view_is_a_barrier_under_the_owners_rights_and_read_by_the_reader_alone(
    db: None,
) -> None:
    """Cases 23, 24: no other view over facts is readable by a role of the web."""
    views = {name for name, kind in tables().items() if kind == "v"}
    assert views == {*(view for view, _ in FACT_VIEWS), "wall_release", "wall_measured"}
    for view in views:
        [(options, owner)] = rows(
            "SELECT reloptions, relowner::regrole::text FROM pg_class WHERE oid = %s::regclass",
            view,
        )
        assert (options, owner) == (["security_barrier=true"], OWNER), view
        assert [role for role in (*OF_THE_WEB, PUBLISH) if may(role, view)] == [READER], view
        for right in ("INSERT", "UPDATE", "DELETE"):
            assert [role for role in OF_THE_WEB if may(role, view, right)] == [], view


@pytest.mark.parametrize("view", [view for view, _ in FACT_VIEWS])
def test_a_views_condition_is_the_registered_one(db: None, view: str) -> None:
    """Case 23."""
    family = FAMILY_OF.get(view, f"'{view.removeprefix('wall_')}'")
    text = definition(view)
    if view == "wall_sharing":  # days before the row's own are asked for apart
        assert live(family, since="fact.new_since") in text
    assert text.count(live(family)) == 1
    if view in COUNTING:
        assert plain(CHILDREN) in text
        assert live(family, title="child.id") in text
    if view in ("wall_danmu_comment", "wall_discussion_post"):
        # servers before 16 name the table of each column
        assert re.sub(r"fact\.(repeats|likes|picked)", r"\1", text).endswith(
            "and current_setting'dailies.exit', true = 'web' or repeats >= 3 or likes >= 10"
            " or picked;"
        )
    elif view == "wall_fanbases":
        assert text.endswith(f"and fact.partner_id is null or fact.partner_id = {plain(CURRENT)};")
    else:
        assert text.endswith("p.suspended_at is null;")
