"""Python alone: each condition of the code that decides who reads what, in turn."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import pytest
from django.db import connection, transaction

from engagement import query, scope
from engagement.families import danmu, discussion, fanbases, read, sharing
from partners import access
from partners.models import grants as grants_module
from tests.mutants import report
from tests.mutants.crowd import python_holds
from tests.oracle_world import World
from tests.test_oracle import say
from tests.walls import FACT_VIEWS

pytestmark = pytest.mark.django_db

# --- Python --------------------------------------------------------------------------------------


@contextmanager
def python_alone() -> Iterator[None]:
    """The views opened to all rows."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            for view, table in FACT_VIEWS:
                body = f"SELECT * FROM {table}"
                if view == "wall_fanbases":
                    body = (
                        f"SELECT fact.*, sets.slug AS fan_set FROM {table} AS fact"
                        " JOIN engagement_fansetversion AS version ON version.id = fact.fan_set_id"
                        " JOIN engagement_fanset AS sets ON sets.id = version.fan_set_id"
                    )
                elif view == "wall_sharing":
                    columns = 'id, territory, "from", until, channel, shares, visits, new_viewers'
                    more = "new_since, release_id, title_id, new_viewers_measured"
                    body = f"SELECT {columns}, {more} FROM {table}"
                cursor.execute(f"CREATE OR REPLACE VIEW {view} AS {body}")
        yield
        transaction.set_rollback(True)


FUNCTIONS: list[Any] = [
    access.membership_for,
    access.scope_for,
    access.title_for,
    access._as_of_now,
    access._asked,
    access._limited,
    scope.Entitled.reaches,
    scope.Scope.tuples,
    scope.Scope.clip,
    scope.Scope.check,
    scope.Scope.reach,
    scope.Scope._within,
    scope.Scope._blocks,
    query._granted,
    query._children,
    grants_module.EntitlementQuerySet.live,
    danmu._may_leave,
    discussion.read_posts,
    fanbases.read,
    sharing.read,
]
CONSTANTS = [(read, "_WITHIN"), (read, "_CHILDREN")]


@dataclass(frozen=True)
class Mutant:
    name: str
    install: Callable[[], Callable[[], None]]  # returns what puts it back


class _Take(ast.NodeTransformer):
    """Takes away the condition number `wanted`; counts them where it is -1."""

    def __init__(self, wanted: int = -1) -> None:
        self.wanted, self.seen, self.taken = wanted, -1, ""

    def _is_it(self, node: ast.AST) -> bool:
        self.seen += 1
        if self.seen == self.wanted:
            self.taken = ast.unparse(node)
            return True
        return False

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        if isinstance(node.op, ast.And):
            node.values = [v for v in node.values if not self._is_it(v)]
        self.generic_visit(node)
        return node if len(node.values) > 1 else node.values[0]

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.ifs = [v for v in node.ifs if not self._is_it(v)]
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "filter":
            node.args = [a for a in node.args if not self._is_it(a)]
            node.keywords = [k for k in node.keywords if not self._is_it(k)]
        self.generic_visit(node)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        ends = isinstance(node.body[-1], ast.Return | ast.Raise)
        if ends and not node.orelse and self._is_it(node.test):
            return ast.Pass()
        self.generic_visit(node)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if isinstance(node.op, ast.BitAnd) and self._is_it(node):
            return node.left
        self.generic_visit(node)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str):
            for condition in SQL_CONDITION.findall(node.value):
                if self._is_it(ast.Constant(condition)):
                    mutated = node.value.replace(condition, f"({condition} OR true)", 1)
                    return ast.Constant(mutated)
        return node


SQL_CONDITION = re.compile(
    r"(?:AND|WHERE) ((?:fact|reach|granted|block)\.[^()\n]*?)(?= AND |\n|$|\))"
)


def mutants_of(functions: Iterable[Any]) -> Iterator[Mutant]:
    """Each function with each of its conditions taken away."""
    for function in functions:
        source = textwrap.dedent(inspect.getsource(function))
        counter = _Take()
        counter.visit(ast.parse(source))
        for number in range(counter.seen + 1):
            take = _Take(number)
            tree = ast.fix_missing_locations(take.visit(ast.parse(source)))
            yield Mutant(
                f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}: {take.taken}",
                _swap(function, tree),
            )


def mutants() -> Iterator[Mutant]:
    yield from mutants_of(FUNCTIONS)
    for module, name in CONSTANTS:
        text = getattr(module, name)
        for condition in SQL_CONDITION.findall(text):
            mutated = text.replace(condition, f"({condition} OR true)", 1)
            yield Mutant(f"{name}: {condition}", _set(module, name, mutated))
    for name in grants_module.LIVE:
        rest = {n: q for n, q in grants_module.LIVE.items() if n != name}
        yield Mutant(f"LIVE: {name}", _set(grants_module, "LIVE", rest))


def _swap(function: FunctionType, tree: Any) -> Callable[[], Callable[[], None]]:
    def install() -> Callable[[], None]:
        code, before = (
            compile(tree, "<mutant>", "exec", flags=annotations.compiler_flag),
            function.__code__,
        )
        made: dict[str, Any] = dict(function.__globals__)
        exec(code, made)
        function.__code__ = made[function.__name__].__code__

        def put_back() -> None:
            function.__code__ = before

        return put_back

    return install


def _set(module: Any, name: str, value: Any) -> Callable[[], Callable[[], None]]:
    def install() -> Callable[[], None]:
        before = getattr(module, name)
        setattr(module, name, value)
        return lambda: setattr(module, name, before)

    return install


def test_python_alone_each_condition(world: World) -> None:
    killed, stopped, survivors = 0, 0, []
    with python_alone():
        assert python_holds(world)
        for mutant in mutants():
            put_back = mutant.install()
            try:
                with transaction.atomic():
                    try:
                        holds = python_holds(world)
                    except Exception:  # it no longer runs: nobody is told anything
                        holds, stopped = False, stopped + 1
                    transaction.set_rollback(True)
            finally:
                put_back()
            if holds:
                survivors.append(mutant.name)
            else:
                killed += 1
        assert python_holds(world)
    say(f"mutants: Python: {stopped} of the killed no longer ran at all")
    report("Python", killed, survivors, allowed=PYTHON_MAY)


_FETCHED = "only spares fetching: what is fetched beyond it is asked again, row by row"
PYTHON_MAY = {
    "scope_for: Q(title_id__in=asked)": _FETCHED,
    "scope_for: asked is not None and e.title_id not in asked": "what may be asked may be counted",
    "scope_for: e.title_id not in asked": "what may be asked may be counted",
    "_as_of_now: partner__suspended_at__isnull=True": "LIVE asks it of every entitlement",
    "LIVE: not suspended": "_as_of_now asks it of the partner, membership_for at the door",
    "_children: parent_id=series.pk": _FETCHED,
    "_children: pk__in=counting.titles()": _FETCHED,
    "fanbases.read: not rows": "the answer's one row that says why it is empty",
}
"""What may survive, and why."""
