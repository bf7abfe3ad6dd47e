"""What the walls cost at the size that is promised, and how fast the staff's lists are there.

1,000 partners, 100,000 grants of a title each and 10,000 titles, with a month of numbers by day;
written by SQL, rows alike. Pages are asked for through the site with the audit trail on, in turns
with the walls up and with PostgreSQL's taken down: each view then reads its plain table, and no
table has row-level security. Python's wall stays: it makes the question.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from bench import ground
from bench.told import Row, seconds, spread
from engagement import curves  # isort: split

from django.db import connection
from django.test import Client
from django.test.utils import override_settings

from engagement.families.registry import FAMILIES
from engagement.pipeline import sketches
from engagement.roles import PARTNER, acting_as
from partners.access import scope_for
from partners.models import Membership, User

PARTNERS, GRANTS, TITLES, DAYS = 1_000, 100_000, 10_000, 30
RUNTIME_S = 2_700
EVENTS = 100_000
TIMES_AIMED_AT = 1.3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=40, help="how often each page is asked for")
    return ground.run(parser, measure)


def measure(fresh: Path, asked: argparse.Namespace) -> list[Row]:
    made = seconds(fill)
    member = Membership.objects.select_related("partner", "user").get(partner__slug="p500")
    staff = User.objects.get(email="stella@platform.example.com")
    rows: list[Row] = [
        (
            f"{PARTNERS:,} partners, {GRANTS:,} grants, {TITLES:,} titles: written in",
            f"{made:.0f} s",
        )
    ]
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        rows += _scopes(member, asked.times)
        rows += _pages(member, asked.times)
        rows += _lists(staff, asked.times)
    return rows


# --- what stands there -----------------------------------------------------------------------

PEOPLE = """
INSERT INTO partners_user (id, password, is_superuser, email, name, language, is_active, is_staff,
                           date_joined, session_epoch)
SELECT gen_random_uuid(), '!', false, 'u' || n || '@example.com', 'U' || n, 'en', true, false,
       now(), 0
FROM generate_series(0, %(partners)s - 1) AS n;
INSERT INTO partners_partner (id, slug, name_zh, name_en, requires_mfa)
SELECT gen_random_uuid(), 'p' || n, '影业' || n, 'Pictures ' || n, false
FROM generate_series(0, %(partners)s - 1) AS n;
INSERT INTO partners_membership (id, user_id, partner_id, role)
SELECT gen_random_uuid(), u.id, p.id, 'owner'
FROM partners_partner AS p
JOIN partners_user AS u ON u.email = 'u' || substr(p.slug, 2) || '@example.com';
"""
CATALOGUE = """
INSERT INTO engagement_title (key, slug, kind, name_zh, name_en, runtime_s, released_on, sample)
SELECT 't' || n, 't' || n, 'film', '作品' || n, 'Title ' || n, %(runtime)s,
       DATE '2026-01-01' - n %% 3000, false
FROM generate_series(0, %(titles)s - 1) AS n;
CREATE TEMP TABLE bench_pair AS
SELECT n, gen_random_uuid() AS grant_id, p.id AS partner_id, t.id AS title_id
FROM generate_series(0, %(grants)s - 1) AS n
JOIN partners_partner AS p ON p.slug = 'p' || n %% %(partners)s
JOIN engagement_title AS t
    ON t.slug = 't' || (n %% %(partners)s * 7 + n / %(partners)s * 97) %% %(titles)s;
INSERT INTO partners_holding (partner_id, title_id, territories)
SELECT partner_id, title_id, '{*}' FROM bench_pair;
INSERT INTO partners_grant (id, partner_id, families, data_from, territories, exits, valid_from,
                            contract_reference, state, made_by_id, made_at)
SELECT grant_id, partner_id, %(families)s, DATE '2020-01-01', '{*}',
       '{web,export,email,api}', now() - INTERVAL '1 year', 'C-' || n, 'proposed', %(stella)s,
       now() - n * INTERVAL '1 minute'
FROM bench_pair;
INSERT INTO partners_grant_titles (grant_id, title_id) SELECT grant_id, title_id FROM bench_pair;
UPDATE partners_grant SET state = 'approved', approved_by_id = %(sam)s, approved_at = now();
INSERT INTO partners_entitlement (grant_id, partner_id, title_id, families, territories, exits,
                                  data_from, data_until, valid_from)
SELECT grant_id, partner_id, title_id, %(families)s, '{*}', '{web,export,email,api}',
       DATE '2020-01-01', DATE '9999-12-31', now() - INTERVAL '1 year'
FROM bench_pair;
"""
NUMBERS = """
INSERT INTO engagement_release (id, kind, title_id, day, engine, rows, rejected, metric_version,
                                input_digest, state, started_at, done_at, waiting_viewers, epsilon,
                                people_file)
SELECT gen_random_uuid(), 'segments', t.id, d.day, 'embedded', 1, '{}', '1', '', 'done', now(),
       now(), 0, 0, ''
FROM engagement_title AS t, generate_series(0, %(days)s - 1) AS n,
     LATERAL (SELECT %(last)s::date - n AS day) AS d;
INSERT INTO engagement_viewingfact (title_id, territory, "from", until, release_id, device, plays,
                                    viewers, watch_seconds, completions, finishers)
SELECT r.title_id, '*', r.day, r.day + 1, r.id, '*', 1000, 900, 900000, 500, 450
FROM engagement_release AS r;
INSERT INTO engagement_viewersketch (title_id, territory, "from", until, release_id, viewers,
                                     finishers)
SELECT r.title_id, '*', r.day, r.day + 1, r.id, %(sketch)s, %(sketch)s
FROM engagement_release AS r;
INSERT INTO engagement_retentionfact (title_id, territory, "from", until, release_id, plays, curves)
SELECT r.title_id, c.territory, r.day, r.day + 1, r.id, 1000, %(retention)s
FROM engagement_release AS r
JOIN partners_entitlement AS e ON e.title_id = r.title_id,
     (VALUES ('*'), ('CN')) AS c (territory)
WHERE e.partner_id = (SELECT id FROM partners_partner WHERE slug = 'p500');
INSERT INTO engagement_rewatchfact (title_id, territory, "from", until, release_id, plays, curves)
SELECT r.title_id, '*', r.day, r.day + 1, r.id, 1000, %(rewatch)s
FROM engagement_release AS r
JOIN partners_entitlement AS e ON e.title_id = r.title_id
WHERE e.partner_id = (SELECT id FROM partners_partner WHERE slug = 'p500');
"""
TRAIL = """
INSERT INTO partners_auditevent (at, actor_id, partner_id, action, target, detail)
SELECT now() - n * INTERVAL '1 second', m.user_id, m.partner_id, 'numbers.read', 't' || n, '{}'
FROM generate_series(0, %(events)s - 1) AS n
JOIN (SELECT user_id, partner_id, row_number() OVER () AS at FROM partners_membership) AS m
    ON m.at = n %% %(partners)s + 1;
"""


def fill() -> None:
    for name in ("stella", "sam"):
        User.objects.create_superuser(f"{name}@platform.example.com", name=name.capitalize())
    people = dict(User.objects.values_list("name", "pk"))
    shape = np.ones((4, RUNTIME_S), dtype=np.int64) * np.arange(RUNTIME_S, 0, -1)
    hashes = np.random.default_rng(1).integers(1, 2**63, 900, np.uint64)
    values = {
        "partners": PARTNERS, "grants": GRANTS, "titles": TITLES, "days": DAYS, "events": EVENTS,
        "runtime": RUNTIME_S, "last": date.today() - timedelta(days=1),
        "families": list(FAMILIES), "stella": people["Stella"], "sam": people["Sam"],
        "sketch": sketches.to_bytes(sketches.smallest(np.unique(hashes))),
        "retention": curves.pack(shape), "rewatch": curves.pack(shape[:2]),
    }  # fmt: skip
    with connection.cursor() as cursor:
        for statements in (PEOPLE, CATALOGUE, NUMBERS, TRAIL):
            for statement in statements.split(";\n"):
                if statement.strip():
                    cursor.execute(statement, values)
        cursor.execute("ANALYZE")


# --- the wall up and down --------------------------------------------------------------------


@contextmanager
def without_postgres_wall() -> Iterator[None]:
    """Each view reads its table, all of it; no table has row-level security."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_get_viewdef(oid) FROM pg_class"
            " WHERE relkind = 'v' AND relname LIKE 'wall\\_%%'"
        )
        views = dict(cursor.fetchall())
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity")
        tables = [name for (name,) in cursor.fetchall()]
        for name, body in views.items():
            cursor.execute(f"CREATE OR REPLACE VIEW {name} AS {_open(body)}")
            cursor.execute(f"ALTER VIEW {name} RESET (security_barrier)")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        try:
            yield
        finally:
            for name, body in views.items():
                cursor.execute(f"CREATE OR REPLACE VIEW {name} WITH (security_barrier) AS {body}")
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def _open(body: str) -> str:
    """The view's columns and table, without any condition."""
    return re.split(r"\n  WHERE ", body, maxsplit=1)[0].rstrip().rstrip(";")


# --- what is measured ------------------------------------------------------------------------


def _scopes(member: Membership, times: int) -> list[Row]:
    title = member.partner.entitlements.values_list("title_id", flat=True)[0]
    with acting_as(PARTNER, partner_id=member.partner_id):
        whole = [seconds(lambda: scope_for(member, "web")) for _ in range(times)]
        one = [seconds(lambda: scope_for(member, "web", [title])) for _ in range(times)]
    return [
        (f"scope_for, the partner's {GRANTS // PARTNERS} grants", spread(whole)),
        ("scope_for, narrowed to one title", spread(one)),
    ]


def _pages(member: Membership, times: int) -> list[Row]:
    """Each page in turns with and without the wall, the same number of times."""
    title = member.partner.entitlements.select_related("title")[0].title
    root = f"/p/{member.partner.slug}/"
    asked = {
        "portfolio": root,
        "title page": f"{root}titles/{title.slug}/",
        "REST: viewing": f"/api/v1{root}titles/{title.slug}/viewing/",
        "REST: retention by second": f"/api/v1{root}titles/{title.slug}/retention/",
    }
    client = _signed_in(member.user)
    walled: dict[str, list[float]] = {what: [] for what in asked}
    plain: dict[str, list[float]] = {what: [] for what in asked}
    for turn in range(8):
        for what, url in asked.items():
            walled[what] += _taken(client, url, times // 8 + 1)
        if turn == 0:
            _show(client, asked)
        with without_postgres_wall():
            for what, url in asked.items():
                plain[what] += _taken(client, url, times // 8 + 1)
    rows: list[Row] = []
    for what in asked:
        ratio = statistics.median(walled[what]) / statistics.median(plain[what])
        rows.append(
            (
                f"{what}, audit on",
                f"{spread(walled[what])}; without the wall {spread(plain[what])}:"
                f" {ratio:.2f} x (at most {TIMES_AIMED_AT} x)",
            )
        )
    return rows


def _show(client: Client, asked: dict[str, str]) -> None:
    """A page without numbers would be fast and tell nothing."""
    if "900" not in client.get(asked["REST: viewing"]).content.decode():
        raise SystemExit("the pages show no numbers")


LISTS = {
    "partners": "partners/partner/",
    "partners, by name": "partners/partner/?q=Pictures+77",
    "members": "partners/membership/",
    "members, by address": "partners/membership/?q=u77@",
    "grants": "partners/grant/",
    "grants, the hundredth page": "partners/grant/?p=99",
    "grants, by state": "partners/grant/?state__exact=approved",
    "grants of a partner": "partners/grant/?partner__slug=p500",
    "grants, by contract": "partners/grant/?q=C-77123",
    "grants, by title": "partners/grant/?q=t7712",
    "entitlements": "partners/entitlement/",
    "entitlements, by title": "partners/entitlement/?q=t7712",
    "holdings": "partners/holding/",
    "holdings, by title": "partners/holding/?q=t7712",
    "titles": "engagement/title/",
    "titles, by name": "engagement/title/?q=Title+77",
    "releases": "engagement/release/",
    "audit trail": "partners/auditevent/",
    "audit trail of a partner": "partners/auditevent/?partner__slug=p500",
    "a new grant's form": "partners/grant/add/",
    "choosing a partner": "autocomplete/?app_label=partners&model_name=grant&field_name=partner"
    "&term=77",
    "choosing a title": "autocomplete/?app_label=partners&model_name=grant&field_name=titles"
    "&term=77",
}


def _lists(staff: User, times: int) -> list[Row]:
    client = _signed_in(staff)
    return [
        (f"admin: {what}", spread(_taken(client, f"/admin/{path}", times)))
        for what, path in LISTS.items()
    ]


def _signed_in(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    session = client.session
    session["account_authentication_methods_user"] = str(user.pk)
    session["account_authentication_methods"] = [{"method": "mfa", "at": time.time()}]
    session.save()
    return client


def _taken(client: Client, url: str, times: int) -> list[float]:
    return [seconds(lambda: _get(client, url)) for _ in range(times + 1)][1:]


def _get(client: Client, url: str) -> None:
    answer = client.get(url)
    if answer.status_code != 200:
        raise SystemExit(f"{url}: {answer.status_code}")


if __name__ == "__main__":
    sys.exit(main())
