"""Runs one program under limits; a process of its own (`python -I -S -B sandbox_child.py PROGRAM SECONDS BYTES TOKEN`).

It imports nothing of Hearth. TOKEN is written to standard output when, and only when, the program ran to its end.
Exit status 97: this system offers no way to hold the program back, and it was not run.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

NO_SANDBOX = 97
LARGEST_FILE_BYTES = 1_000_000

# Linux's seccomp filters (https://docs.kernel.org/userspace-api/seccomp_filter.html): a small program that looks at the
# number of a system call and the low halves of its arguments.
LOAD, EQUAL, ANY_BIT, AT_LEAST, RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
ALLOW, DENY, UNKNOWN, KILL = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38, 0x80000000
CLONE_THREAD = 0x10000
# Any way of opening that could change a file: O_WRONLY, O_RDWR, O_CREAT, O_TRUNC.
WRITING = 0x1 | 0x2 | 0x40 | 0x200
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Sockets; other processes (fork, vfork, execve, execveat, kill, tkill, tgkill, pidfd_send_signal, ptrace,
# process_vm_readv, process_vm_writev); rings, which get round filters; and what changes files without opening them:
# truncate, rename, mkdir, rmdir, link, unlink, symlink, mknod, chmod, chown, utime, setxattr, mount, and their kin.
DENIED = {
    "x86_64": (
        *(41, 57, 58, 59, 322, 62, 200, 234, 424, 101, 310, 311, 425, 272, 308, 165, 166),
        *(76, 82, 83, 84, 85, 86, 87, 88, 133, 90, 91, 92, 93, 94, 132, 188, 189, 190, 235, 258, 259, 260, 261),
        *(263, 264, 265, 266, 268, 280, 316, 452),
    ),
    "aarch64": (
        *(198, 221, 281, 129, 130, 131, 424, 117, 270, 271, 425, 97, 268, 40, 39),
        *(45, 38, 276, 34, 35, 36, 37, 33, 52, 53, 54, 55, 88, 5, 6, 7, 452),
    ),
}
# Calls that are judged by an argument: (number, place of the argument, bits, what follows when one is set, when not).
JUDGED = {
    "x86_64": ((56, 0, CLONE_THREAD, ALLOW, DENY), (2, 1, WRITING, DENY, ALLOW), (257, 2, WRITING, DENY, ALLOW)),
    "aarch64": ((220, 0, CLONE_THREAD, ALLOW, DENY), (56, 2, WRITING, DENY, ALLOW)),
}
# clone3 and openat2 pass their flags in memory, where a filter can't look: libraries fall back to clone and openat.
WITHOUT_FLAGS = (435, 437)


def main() -> None:
    program, seconds, memory, token = sys.argv[1:5]
    sys.argv[1:] = []
    with open(program, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is one import more in every run
        source = file.read()
    told = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    limit(int(seconds), int(memory))
    if not hold_back():
        os._exit(NO_SANDBOX)
    exec(compile(source, "answer.py", "exec"), {"__name__": "__main__"})
    os.write(told, token.encode())


def limit(seconds: int, memory: int) -> None:
    """Processor time, address space, size of files, no core dump."""
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE_BYTES, LARGEST_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def hold_back() -> bool:
    """No network, no other process, no change to any file from here on; False where the system can't promise it."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in ARCHITECTURES:
        return False
    filters = b"".join(struct.pack("=HBBI", *each) for each in instructions(machine))
    kept = ctypes.create_string_buffer(filters)
    program = struct.pack("@HP", len(filters) // 8, ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_seccomp, by_filter = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(set_seccomp, by_filter, program, 0, 0) == 0)


def instructions(machine: str) -> list[tuple[int, int, int, int]]:
    """The filter: (code, jump if true, jump if false, value). Offsets: 0 number, 4 architecture, 16 + 8 n arguments."""
    program = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, ARCHITECTURES[machine]), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    # Numbers from 2³⁰ on are another set of calls (x32).
    program += [(AT_LEAST, 0, 1, 0x40000000), (RETURN, 0, 0, DENY)]
    for number in DENIED[machine]:
        program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, DENY)]
    for number in WITHOUT_FLAGS:
        program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, UNKNOWN)]
    for number, place, bits, when_set, otherwise in JUDGED[machine]:
        program += [(EQUAL, 0, 4, number), (LOAD, 0, 0, 16 + 8 * place), (ANY_BIT, 0, 1, bits)]
        program += [(RETURN, 0, 0, when_set), (RETURN, 0, 0, otherwise)]
    return [*program, (RETURN, 0, 0, ALLOW)]


if __name__ == "__main__":
    main()
