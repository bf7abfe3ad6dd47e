"""What the process that renders may not do, refused by the kernel and by Python.

Three nets, each of which holds alone where it holds at all. seccomp (Linux, x86-64 and ARM):
no socket but a pair within the process, no program, no child, no signal to others. Landlock
(Linux 5.13 or newer): only the folders named may be read, one may be written. An audit hook: the
same for what Python itself asks, on any system. What is missing on this machine is said in the
return value; docs/operations.md tells what that leaves.
"""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SIGKILL = 9

# Linux's numbers of the system calls refused, on x86-64 and on ARM
_DENIED: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kill": (62, 129),
    "tkill": (200, 130),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
}
_MACHINES = {"x86_64": (0, 0xC000003E, 56), "aarch64": (1, 0xC00000B7, 220)}
"""Which of the two numbers, the machine's name to the filter, and the number of clone."""
_CLONE3 = 435
_CLONE_THREAD = 0x00010000
_ALLOW, _EPERM, _ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILE_RIGHTS = (1 << 0) | (1 << 1) | _READ_FILE | (1 << 14)  # execute, write, read, truncate
_RIGHTS_OF_ABI = {1: 13, 2: 14, 3: 15}  # how many rights a kernel knows; 15 from the third on

_REFUSED = (
    *("subprocess.", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.system", "pty."),
    *("os.kill", "os.putenv", "os.chmod", "os.chown", "os.link", "os.symlink", "os.setxattr"),
    *("shutil.move", "shutil.copy", "shutil.unpack", "ftplib.", "http.client.", "smtplib."),
    *("urllib.", "sqlite3.", "webbrowser.", "winreg.", "msvcrt."),
)
_CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree")


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent is gone, however that ended."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it went before the call
        os._exit(1)


def confine(readable: Iterable[Path], writable: Path) -> list[str]:
    """Shut this process in for good, its later threads too. Returns what could not be done.

    To be called while it has a single thread.
    """
    readable = [path.resolve() for path in readable if path.exists()]
    writable = writable.resolve()
    missing = []
    if sys.platform.startswith("linux"):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if not _landlock(libc, readable, writable):
            missing.append("Landlock")
        if not _seccomp(libc):
            missing.append("seccomp")
    else:
        missing += ["Landlock", "seccomp"]
    _audit([*readable, writable], writable)
    return missing


def _audit(readable: list[Path], writable: Path) -> None:
    reads = tuple(str(path) for path in readable)
    writes = str(writable)
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def is_inside(path: Any, *folders: str) -> bool:
        if isinstance(path, int):  # a descriptor: it was opened, or given, before
            return True
        name = os.path.realpath(os.fsdecode(path))
        return any(name == folder or name.startswith(folder + os.sep) for folder in folders)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _mode, flags = arguments
            folders = (writes,) if (flags or 0) & writing else reads
            if path is not None and not is_inside(path, *folders):
                raise PermissionError(f"a report opens no {path!r}")
        elif event.startswith("socket."):
            # V8's library wakes its loop by a pair of sockets within the process
            if not (event == "socket.__new__" and arguments[1] in (socket.AF_UNIX, -1)):
                raise PermissionError(f"a report has no network ({event})")
        elif event in _CHANGES:
            if not all(is_inside(a, writes) for a in arguments if isinstance(a, str | bytes)):
                raise PermissionError(f"a report changes no file ({event})")
        elif event.startswith(_REFUSED):
            raise PermissionError(f"a report does not do that ({event})")

    sys.addaudithook(hook)


# -- Landlock -----------------------------------------------------------------------------------


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _landlock(libc: Any, readable: list[Path], writable: Path) -> bool:
    abi = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if abi < 1:
        return False
    everything = (1 << _RIGHTS_OF_ABI.get(abi, 15)) - 1
    rules = struct.pack("=Q", everything)
    ruleset = libc.syscall(_LANDLOCK_CREATE, rules, ctypes.c_size_t(len(rules)), 0)
    if ruleset < 0:
        return False
    try:
        grants = [(path, _READ_FILE | _READ_DIR) for path in readable]
        for path, rights in [*grants, (writable, everything & ~1)]:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                allowed = rights & everything & (~0 if path.is_dir() else _FILE_RIGHTS)
                rule = _PathBeneath(allowed, opened)
                if libc.syscall(_LANDLOCK_ADD, ruleset, 1, ctypes.byref(rule), 0):
                    return False
            finally:
                os.close(opened)
        return not libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


# -- seccomp ------------------------------------------------------------------------------------


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _seccomp(libc: Any) -> bool:
    machine = _MACHINES.get(platform.machine())
    if machine is None or sys.maxsize < 2**32:
        return False
    column, name, clone = machine
    code = _filter(name, clone, [numbers[column] for numbers in _DENIED.values()])
    program = _Program(len(code) // 8, code)
    return not libc.prctl(_PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0)


def _filter(machine: int, clone: int, denied: list[int | None]) -> bytes:
    """A BPF program over (number, machine, ..., arguments): see seccomp(2)."""
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    one: list[tuple[int, int, int, int]] = [
        (load, 0, 0, 4),
        (equal, 1, 0, machine),
        (answer, 0, 0, _EPERM),
        (load, 0, 0, 0),
        (at_least, 0, 1, 0x40000000),  # the same calls by their second numbers (x32)
        (answer, 0, 0, _EPERM),
    ]
    for number in denied:
        if number is not None:
            one += [(equal, 0, 1, number), (answer, 0, 0, _EPERM)]
    one += [
        (equal, 0, 1, _CLONE3),  # its flags cannot be read here: libc falls back to clone
        (answer, 0, 0, _ENOSYS),
        (equal, 0, 3, clone),
        (load, 0, 0, 16),
        (any_bit, 1, 0, _CLONE_THREAD),
        (answer, 0, 0, _EPERM),
        (answer, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in one)
