"""Looks for the system libraries and programs that no Python or npm package brings.

Run before anything is installed, so with the standard library only and from any directory:
`python3 portal/services/preflight.py demo|test`. Prints the one command that installs what is
missing and ends with 1, or prints nothing and ends with 0.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
import sys

LIBRARIES = {
    # name in the system: (file, Debian package, Homebrew formula, what for)
    "pango-1.0": ("libpango-1.0.so.0", "libpango-1.0-0", "pango", "the PDF"),
    "pangoft2-1.0": ("libpangoft2-1.0.so.0", "libpangoft2-1.0-0", "pango", "the PDF"),
}
WELCOME = {"libpango-1.0-0": "libharfbuzz-subset0"}
"""Installed along where the other one is missing: WeasyPrint cuts fonts faster with it."""

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def has_library(name: str, file: str) -> bool:
    """Whether the loader finds a shared library."""
    for candidate in (file, ctypes.util.find_library(name)):
        if candidate:
            try:
                ctypes.CDLL(candidate)
            except OSError:
                continue
            return True
    return False


def missing(purpose: str) -> list[tuple[str, str, str]]:
    """(what is missing and what for, Debian package, Homebrew formula), for `demo` or `test`."""
    found = [
        (f"{name} (for {use})", package, formula)
        for name, (file, package, formula, use) in LIBRARIES.items()
        if not has_library(name, file)
    ]
    if purpose == "test":
        browser = os.environ.get("CHROMIUM_BIN")
        if not browser and not any(shutil.which(name) for name in CHROMIUM):
            found.append(("Chromium (for the browser tests)", "chromium", "chromium"))
        if not shutil.which("pdftoppm"):
            found.append(("pdftoppm (for the PDF tests)", "poppler-utils", "poppler"))
    return found


def main() -> int:
    purpose = sys.argv[1] if len(sys.argv) > 1 else "demo"
    lacking = missing(purpose)
    if not lacking:
        return 0
    mac = sys.platform == "darwin"
    packages = sorted({formula if mac else package for _, package, formula in lacking})
    packages += [along for package, along in WELCOME.items() if package in packages]
    sudo = "" if mac or os.geteuid() == 0 else "sudo "
    install = "brew install" if mac else "apt-get install -y --no-install-recommends"
    print("This machine lacks:", file=sys.stderr)
    for what, _, _ in lacking:
        print(f"  - {what}", file=sys.stderr)
    print("Install it with this one command, then run make again:\n", file=sys.stderr)
    print(f"  {sudo}{install} {' '.join(packages)}\n", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
