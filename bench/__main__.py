"""`make bench`: how fast the way from a log to a page and a bundle is, on this machine.

Each subject runs in a process of its own. Absolute times say little on a shared machine; the
ratio to a plain scan of the same files in the same run says more.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path

SUBJECTS = {
    "scale": "The roll-up as days grow, beside a plain scan",
    "swap": "A day into the database",
    "read": "What a page asks for, with both walls on",
    "walls": "What the walls cost at 1,000 partners, and the staff's lists",
    "reach": "28-day reach from sketches",
    "charts": "Ten charts of a report",
    "sample": "The sample platform: ingest, pages, bundles",
    "fanout": "One report, two hundred recipients, beside Chromium",
    "delivered": "Fifty partners, each its own report, delivered",
}
RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "subjects", nargs="*", choices=[*SUBJECTS, []], help="one or more; else all"
    )
    parser.add_argument("--folder", type=Path, help="where generated segments stay for next time")
    parser.add_argument("--write", action="store_true", help=f"also write {RESULTS.name}")
    arguments = parser.parse_args()
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}"
    text = f"# Results of `make bench`\n\n{machine}. {__doc__.split(chr(10) * 2)[1].strip()}\n"
    folder = ["--folder", str(arguments.folder)] if arguments.folder else []
    unknown = [subject for subject in arguments.subjects if subject not in SUBJECTS]
    if unknown:
        parser.error(f"no bench is called {unknown[0]!r}")
    for subject in arguments.subjects or SUBJECTS:
        sys.stdout.write(f"\n## {SUBJECTS[subject]}\n\n")
        sys.stdout.flush()
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{subject}", *folder],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        sys.stdout.write(done.stdout)
        sys.stdout.flush()
        text += f"\n## {SUBJECTS[subject]}\n\n{done.stdout}"
    if arguments.write:
        RESULTS.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
