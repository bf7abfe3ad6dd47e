"""`make soak`: the tests that draw at random, many times longer, and the kills, many times over.

What stands in the ordinary run with a hundred examples runs here with ten times as many.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

RANDOM = ["tests/engagement", "tests/reports/test_csv.py"]
SEALED = ["tests/partners/test_audit_chain.py"]
KILLS = [
    "tests/engagement/test_killed.py",
    "tests/engagement/test_rebuild.py",
    "tests/reports/test_background.py",
    "tests/portal/test_services.py",
]

TIMES = ["tests/portal/web/test_answer_time.py"]
"""Run alone: what they compare are times."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times each kill is tried")
    parser.add_argument("--examples", type=int, default=1000, help="random cases a test")
    arguments = parser.parse_args()
    environment = {**os.environ, "HYPOTHESIS_EXAMPLES": str(arguments.examples)}
    failed = _pytest([*RANDOM, "-n", "auto"], environment)
    failed |= _pytest(SEALED, {**environment, "AUDIT_WRITES": "1000"})
    failed |= _pytest([*TIMES, "-n", "0"], {**environment, "TIMING_SAMPLES": "500"})
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
