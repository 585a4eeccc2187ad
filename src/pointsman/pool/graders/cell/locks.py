"""Takes a process's rights away, layer by layer, and says which layers are in force.

`isolate` is for the warden, before it forks: namespaces of its own. `lock` is for a worker, once it has everything
it needs: from then on it can compute, use the memory and time that it's given, and talk over the pipes that it has
open. A layer that this machine doesn't have is left out of the list that comes back; a layer that is needed and
missing is an `Unlocked`, and nothing may be run. After the last layer the locks are tried, not believed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
import sys
from collections.abc import Callable, Collection

from pointsman.pool.graders.cell.syscalls import AUDIT_ARCH, KEPT, MAPPING

NAMESPACES = {"own network": 0x4000_0000, "own processes": 0x2000_0000, "own ipc": 0x0800_0000}
NEW_USER = 0x1000_0000
NOBODY = 65534
SECCOMP = "seccomp"
LIMITS = "limits"
NO_NEW_PRIVILEGES = "no new privileges"

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
PROT_EXEC = 4
# Landlock's system calls have one number on every machine; rights of the file system by version of its interface.
LANDLOCK_CREATE, LANDLOCK_RESTRICT = 444, 446
LANDLOCK_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
BPF_LOAD, BPF_EQUAL, BPF_SET, BPF_RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, REFUSE, KILL = 0x7FFF_0000, 0x0005_0000 | errno.EPERM, 0x8000_0000


class Unlocked(Exception):  # noqa: N818 - a refusal, not a fault
    """A needed layer is not in force; nothing may be run."""


def isolate(wanted: Collection[str]) -> list[str]:
    """Namespaces of its own for the children of this process: no network device is up, no other process is seen.

    Gives:
        names of the layers in force; empty where the machine allows none.
    """
    names = [name for name in NAMESPACES if name in wanted]
    if sys.platform != "linux" or not names:
        return []
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 and libc.unshare(NEW_USER) != 0:
        return []
    return [name for name in names if libc.unshare(NAMESPACES[name]) == 0]


def lock(wanted: Collection[str], needed: Collection[str], cpu_s: int, memory_mb: int) -> list[str]:
    """Puts every layer of `wanted` in force that the machine has, in the order in which they must come.

    Args:
        wanted: names of layers to try.
        needed: names of those without which nothing may run.
        cpu_s: processor seconds.
        memory_mb: of address space, beyond what the interpreter has already.

    Raises:
        Unlocked: a needed layer isn't in force; names it.
    """
    die_with_the_warden()
    space = address_space() + memory_mb * 2**20
    steps: dict[str, Callable[[], None]] = {
        "empty root": empty_root,
        "no privileges": no_privileges,
        NO_NEW_PRIVILEGES: no_new_privileges,
        "landlock": landlock,
        LIMITS: lambda: limits(cpu_s, space),
        SECCOMP: seccomp,
    }
    force = [name for name, step in steps.items() if name in wanted and works(step)]
    missing = [name for name in needed if name not in force]
    if missing:
        raise Unlocked(f"{' and '.join(missing)} not available on this machine")
    if SECCOMP in force:
        try_the_locks()
    return force


def works(step: Callable[[], None]) -> bool:
    """Whether a layer could be put in force."""
    try:
        step()
    except (OSError, AttributeError, KeyError, ValueError):
        return False
    return True


def die_with_the_warden() -> None:
    """The kernel ends this process when its parent ends, however that comes about."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)


def empty_root() -> None:
    """The working folder, which is empty, becomes all that there is of the file system."""
    os.chroot(".")
    os.chdir("/")


def no_privileges() -> None:
    """Root becomes nobody, and every capability goes; in a user namespace of its own there is no root to begin with."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    libc = ctypes.CDLL(None, use_errno=True)
    version = struct.pack("Ii", 0x2008_0522, 0)
    _checked(libc.capset(version, bytes(24)))
    die_with_the_warden()


def limits(cpu_s: int, space: int) -> None:
    """Processor seconds, bytes of address space, and nothing written, opened, forked, queued or dumped."""
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    # A signal first, which says what happened, then a second later the one that can't be ignored.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    for name in ("FSIZE", "NOFILE", "NPROC", "CORE", "MEMLOCK", "MSGQUEUE"):
        if hasattr(resource, f"RLIMIT_{name}"):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (0, 0))


def address_space() -> int:
    """Bytes that this process has mapped already; 0 where the machine doesn't say."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - pathlib takes longer to import than all the rest
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 64 * 2**20


def no_new_privileges() -> None:
    """No set-user-id program helps, and nobody else may look into this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))


def landlock() -> None:
    """A ruleset without a single rule: every right to files and TCP that the kernel knows is refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    _checked(version)
    files = (1 << LANDLOCK_RIGHTS.get(version, 16)) - 1
    rights = struct.pack("QQQ", files, 0b11, 0b11)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = libc.syscall(LANDLOCK_CREATE, rights, ctypes.c_size_t(len(rights)), 0)
    _checked(ruleset)
    _checked(libc.syscall(LANDLOCK_RESTRICT, ruleset, 0))


def seccomp() -> None:
    """The kernel's own filter: the calls of `syscalls.KEPT`, and no others, whoever makes them and however.

    Raises:
        KeyError: a machine whose numbers aren't known.
        OSError: the kernel has no filters.
    """
    program = filter_of(os.uname().machine)
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, then their address.
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.prctl(PR_SET_SECCOMP, 2, header, 0, 0))


def filter_of(machine: str) -> bytes:
    """The filter as the kernel reads it: eight bytes an instruction.

    Another machine's call numbers (32-bit calls on a 64-bit kernel) end the process. Memory that can be executed is
    refused: offset 32 is the third argument of mmap and mprotect.
    """
    program = [
        (BPF_LOAD, 0, 0, 4),
        (BPF_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        (BPF_RETURN, 0, 0, KILL),
        (BPF_LOAD, 0, 0, 0),
    ]
    for number in KEPT[machine].values():
        program += [(BPF_EQUAL, 0, 1, number), (BPF_RETURN, 0, 0, ALLOW)]
    for number in MAPPING[machine].values():
        program += [(BPF_EQUAL, 0, 4, number), (BPF_LOAD, 0, 0, 32), (BPF_SET, 0, 1, PROT_EXEC)]
        program += [(BPF_RETURN, 0, 0, REFUSE), (BPF_RETURN, 0, 0, ALLOW)]
    program.append((BPF_RETURN, 0, 0, REFUSE))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def try_the_locks() -> None:
    """Tries to open, to connect and to fork.

    Raises:
        Unlocked: one of them wasn't refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.open(b"/", 0) != -1 or libc.socket(2, 1, 0) != -1:
        raise Unlocked("files or sockets are still open to it")
    child = libc.fork()
    if child == 0:
        os._exit(0)
    if child != -1:
        raise Unlocked("it can still start processes")


def _checked(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused by the kernel")
