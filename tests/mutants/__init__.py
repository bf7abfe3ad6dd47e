"""Each condition of one wall taken away in turn, with the other wall open: a test must go red.

Run by `make soak`. The isolation test is a crowd of near misses (crowd.py): partners whose grant
is right in all but one thing, so that each condition alone keeps a fact from somebody. Postgres is
asked for the rows of every view (views.py, policies.py), Python for the answers of `run` with the
views opened to all rows (code.py); both must equal tests/oracle.py. Conditions that Python alone
knows (role, limit, who is a member, who comes in at all) are tried with both walls up. What
survives is named, with the reason why it may.
"""

from __future__ import annotations

from tests.test_oracle import say


def report(where: str, killed: int, survivors: list[str], allowed: dict[str, str]) -> None:
    say(f"mutants: {where}: {killed} of {killed + len(survivors)} killed")
    unexplained = []
    for survivor in survivors:
        reason = next((why for part, why in allowed.items() if part in survivor), None)
        if survivors.count(survivor) > 1:
            reason = None
        say(f"  survives: {survivor}: {reason or 'UNEXPLAINED'}")
        if reason is None:
            unexplained.append(survivor)
    assert unexplained == []
