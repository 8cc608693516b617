"""Confines the worker that decodes pictures: no files, no network, no other programs.

A filter of system calls (seccomp(2)) allows what computing needs: reading and writing open descriptors, memory, time
and threads. Everything else fails with EPERM. Import everything first: afterwards no file can be opened.
"""

import errno
import sys
from typing import Final

_ALLOWED: Final = (
    *("read", "readv", "write", "writev", "lseek", "fstat", "close", "fcntl", "ioctl"),
    *("mmap", "munmap", "mremap", "mprotect", "madvise", "brk", "membarrier"),
    *("futex", "set_robust_list", "rseq", "sched_yield", "sched_getaffinity", "getcpu", "restart_syscall"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack"),
    *("clock_gettime", "clock_getres", "clock_nanosleep", "gettimeofday", "getrandom"),
    *("getcwd", "getpid", "gettid", "getrusage", "prlimit64", "sysinfo", "tgkill", "exit", "exit_group"),
)
_CLONE_VM_AND_THREAD: Final = 0x100 | 0x10000  # clone(2): a thread of this process, not another process


def confine() -> bool:
    """Confine this process until it ends. Return whether it is; without libseccomp, or on another system, it is not."""
    if sys.platform != "linux":
        return False
    try:
        import pyseccomp  # type: ignore[import-untyped]  # noqa: PLC0415 - fails where libseccomp is not installed
    except (ImportError, RuntimeError, OSError):
        return False
    try:
        rules = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
        for name in _ALLOWED:
            rules.add_rule(pyseccomp.ALLOW, name)
        is_thread = pyseccomp.Arg(0, pyseccomp.MASKED_EQ, _CLONE_VM_AND_THREAD, _CLONE_VM_AND_THREAD)
        rules.add_rule(pyseccomp.ALLOW, "clone", is_thread)
        # Its flags are in memory, which a filter cannot read. The C library then uses clone.
        rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
        rules.load()
    except OSError:
        return False
    return True
