"""`make soak`: the tests that draw at random, many times longer, and the kills, many times over.

What stands in the ordinary run with a hundred examples runs here with ten times as many. The walls
are asked a hundred times as often, and each of their conditions is taken away in turn.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

# pairs through run, REST and bundles, and questions of one set of grants: tests/test_oracle.py
ORACLE = {"ORACLE_PAIRS": "100000,10000,100", "ORACLE_EACH": "20"}
WALLS = ["tests/partners/test_audit_chain.py", "tests/portal/web/test_answer_time.py"]
LONG = {
    "AUDIT_WRITES": "1000",
    "TIMING_SAMPLES": "500",
}  # writes of each writer, tries of an answer
MUTANTS = [f"tests/mutants/{name}.py" for name in ("views", "policies", "code", "doors")]
PACKING = {"PACKING": "200,20"}  # bundles, of so many partners
RANDOM = ["tests/engagement", "tests/reports/test_csv.py"]
KILLS = [
    "tests/engagement/test_killed.py",
    "tests/engagement/test_rebuild.py",
    "tests/reports/test_background.py",
    "tests/portal/test_services.py",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times each kill is tried")
    parser.add_argument("--examples", type=int, default=1000, help="random cases a test")
    arguments = parser.parse_args()
    environment = {**os.environ, "HYPOTHESIS_EXAMPLES": str(arguments.examples)}
    failed = _pytest([*RANDOM, "-n", "auto"], environment)
    failed |= _pytest(["-s", "-n", "2", "tests/test_oracle.py"], environment | ORACLE)
    failed |= _pytest(["-s", *WALLS], environment | LONG)
    failed |= _pytest(["-s", "-n", "2", *MUTANTS], environment)
    failed |= _pytest(["-s", "tests/reports/test_packing.py"], environment | PACKING)
    for number in range(arguments.rounds):
        print(f"kills, round {number + 1} of {arguments.rounds}", flush=True)
        failed |= _pytest(KILLS, environment)
    return failed


def _pytest(arguments: list[str], environment: dict[str, str]) -> int:
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
