"""The C kernels of `kernels/`, called through ctypes.

Where there is no C compiler, `load` says so once and the plain torch operators take over.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import resources

import torch
from torch import Tensor

from axk1.native import NativeUnavailableError, build, compiler, sources

# -ffast-math without the parts that would hide a NaN or an infinity from the caller.
FLAGS = (
    *("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC", "-std=gnu11"),
    *("-fno-math-errno", "-fno-trapping-math", "-fassociative-math", "-fno-signed-zeros", "-freciprocal-math"),
)
KINDS = {torch.float32: 0, torch.bfloat16: 1}


def kind(tensor: Tensor) -> int:
    """The kernels' code for the element type: 0 float32, 1 bfloat16."""
    return KINDS[tensor.dtype]


def pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    """Address of a contiguous tensor's first element (NULL for None)."""
    assert tensor is None or (tensor.is_contiguous() and tensor.device.type == "cpu")
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


@cache
def load() -> ctypes.CDLL:
    """The kernels, built if need be (about two seconds, once per machine).

    Raises:
        NativeUnavailableError: no compiler, or the compiler refused; with the reason.
    """
    files = sources(resources.files("axk1.model").joinpath("kernels"), ".c", ".h")
    units = [name for name in files if name.endswith(".c")]
    library = build("train", files, [compiler("CC", "gcc", "cc"), *FLAGS], units)
    # torch has loaded its OpenMP by now, and the soname makes ours the same one: one thread pool, not two.
    return _declare(ctypes.CDLL(str(library)))


def available() -> bool:
    """Whether `load` works here; the reason why not is in the error that it raises."""
    try:
        load()
    except NativeUnavailableError:
        return False
    return True


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    library.axk1_sum_of_squares.restype = ctypes.c_double
    library.axk1_threads.restype = ctypes.c_int
    return library
