"""Keeps freed memory inside the process, on huge pages, so that a training step does not pay for page faults.

glibc returns every large block to the system when it is freed and asks for it again a moment later; each time the
kernel clears the pages and maps them one by one. On two cores that costs 1.3 to 1.8 times of a whole training run.
The usual cure is to preload another allocator; these settings do it from inside.
"""

import ctypes
import mmap
import os
import platform
from functools import cache

__all__ = ["keep_freed_memory"]

# From glibc's malloc.h and the kernel's mman-common.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_HUGE_PAGE = 2 << 20
_TOP_PAD = 64 << 20
# The address range that is set aside for huge pages; only what is used of it takes memory.
_SHARE_OF_MEMORY = 0.6


@cache  # once per process: a second call would set aside a second range
def keep_freed_memory() -> bool:
    """Whether the settings apply here (glibc on Linux); elsewhere nothing happens."""
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1), (_M_TOP_PAD, _TOP_PAD))
    applied = all(libc.mallopt(name, value) == 1 for name, value in settings)
    _advise_huge_pages(libc, int(_physical_memory() * _SHARE_OF_MEMORY))
    return applied


def _physical_memory() -> int:
    """Bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _advise_huge_pages(libc: ctypes.CDLL, size: int) -> None:
    """Grow the heap by `size` untouched bytes, ask for huge pages there, and hand the range back to malloc.

    A hint: where the system refuses the range or the pages, training is only a little slower.
    """
    start = libc.malloc(size)
    if not start:
        return
    aligned = -(-start // _HUGE_PAGE) * _HUGE_PAGE
    libc.madvise(aligned, size - 2 * _HUGE_PAGE, mmap.MADV_HUGEPAGE)
    libc.free(start)
