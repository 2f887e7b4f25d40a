"""The native library as ctypes sees it: the structs of `native/include/axk1.h`, and its functions.

Where there is no C++ compiler, `load` raises NativeUnavailableError and the NumPy reference takes over.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_double, c_float, c_int32, c_int64, c_void_p
from functools import cache
from importlib import resources

from axk1.native import build, compiler, more_flags, sources

__all__ = [
    "FORMATS",
    "VERSION",
    "BatchSpec",
    "File",
    "Layer",
    "Matrix",
    "ModelSpec",
    "Mtp",
    "Routing",
    "StoreSpec",
    "StoreStatistics",
    "load",
]

VERSION = 7
FORMATS = {"f32": 0, "f16": 1, "bf16": 2, "int4": 3, "int8": 4}
"""The library's code for each kind of weight (`checkpoint.weights.Kind`) that it multiplies with."""

# Kernels choose their instructions at run time (src/dispatch.cpp), so the build is for any CPU of this kind. The two
# warnings are gcc 12's about its own header.
_FLAGS = (
    *("-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-fassociative-math", "-fno-signed-zeros"),
    *("-shared", "-fPIC", "-pthread", "-Iinclude", "-Isrc", "-Wno-uninitialized", "-Wno-maybe-uninitialized"),
)


class Matrix(ctypes.Structure):
    """Mirrors `axk1_matrix`."""

    _fields_ = (
        ("data", c_void_p),
        *((name, c_int32) for name in ("format", "out", "in", "group")),
        *((name, c_void_p) for name in ("scale", "zero")),
        *((name, c_int32) for name in ("scale_format", "unused")),
    )


class Layer(ctypes.Structure):
    """Mirrors `axk1_layer`."""

    _fields_ = (
        ("input_norm", c_void_p),
        ("q_a", Matrix),
        ("q_a_norm", c_void_p),
        ("q_b", Matrix),
        ("kv_a", Matrix),
        ("kv_a_norm", c_void_p),
        *((name, Matrix) for name in ("kv_b", "o")),
        ("post_attention_norm", c_void_p),
        *((name, Matrix) for name in ("gate", "up", "down")),
        *((name, c_void_p) for name in ("router", "selection_bias", "experts", "post_mlp_norm")),
    )


class Mtp(ctypes.Structure):
    """Mirrors `axk1_mtp`."""

    _fields_ = (
        *((name, c_void_p) for name in ("embedding_norm", "state_norm")),
        ("join", Matrix),
        ("layer", Layer),
        ("final_norm", c_void_p),
    )


class File(ctypes.Structure):
    """Mirrors `axk1_file`."""

    _fields_ = (("path", c_char_p), ("map", c_void_p), ("bytes", c_int64))


class StoreSpec(ctypes.Structure):
    """Mirrors `axk1_store`."""

    _fields_ = (
        ("files", POINTER(File)),
        *((name, c_int32) for name in ("n_files", "readers")),
        ("bytes", c_int64),
        *((name, c_int32) for name in ("read_ahead", "unused")),
    )


class StoreStatistics(ctypes.Structure):
    """Mirrors `axk1_statistics`."""

    _fields_ = tuple(
        (name, c_int64)
        for name in (
            *("tokens", "hits", "misses", "late", "bytes_read", "ahead_read", "ahead_used", "ahead_bytes"),
            *("guessed", "guessed_right", "waited_ns", "slots", "slot_bytes"),
        )
    )


class Routing(ctypes.Structure):
    """Mirrors `axk1_routing`."""

    _fields_ = (*((name, c_int32) for name in ("step", "layer", "expert", "needed")), ("weight", c_float))


class ModelSpec(ctypes.Structure):
    """Mirrors `axk1_model_spec`."""

    _fields_ = (
        *((name, c_int32) for name in ("version", "hidden", "layers", "vocab", "heads")),
        *((name, c_int32) for name in ("kv_rank", "nope", "rope", "value")),
        *((name, c_int32) for name in ("experts", "experts_per_token", "groups", "groups_kept", "normalise_weights")),
        *((name, c_float) for name in ("routed_scale", "norm_eps", "latent_norm_eps", "softmax_scale", "rope_factor")),
        ("rope_frequencies", c_void_p),
        ("embedding", Matrix),
        ("final_norm", c_void_p),
        ("head", Matrix),
        ("layer", POINTER(Layer)),
        *((name, c_int32) for name in ("block_size", "blocks", "threads", "cache_format")),
        ("mtp", POINTER(Mtp)),
        ("store", POINTER(StoreSpec)),
    )


class BatchSpec(ctypes.Structure):
    """Mirrors `axk1_batch`."""

    _fields_ = (
        *((name, c_void_p) for name in ("tokens", "starts", "cached", "blocks")),
        *((name, c_int32) for name in ("sequences", "table")),
        ("wanted", c_void_p),
        *((name, c_int32) for name in ("n_wanted", "unused")),
    )


@cache
def load() -> ctypes.CDLL:
    """The library, built if need be (some ten seconds, once per machine); AXK1_CXXFLAGS adds flags of the compiler.

    Raises:
        NativeUnavailableError: no compiler, or the compiler refused; with the reason.
    """
    files = sources(resources.files("axk1.engine").joinpath("native"), ".cpp", ".h", ".inl")
    units = [name for name in files if name.endswith(".cpp")]
    command = [compiler("CXX", "g++", "c++"), *_FLAGS, *more_flags("AXK1_CXXFLAGS")]
    return _declare(ctypes.CDLL(str(build("engine", files, command, units))))


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    library.axk1_open.restype = c_void_p
    library.axk1_open.argtypes = [POINTER(ModelSpec), c_char_p]
    library.axk1_close.argtypes = [c_void_p]
    library.axk1_close.restype = None
    library.axk1_forward.argtypes = [c_void_p, POINTER(BatchSpec), c_int32, c_void_p]
    library.axk1_draft.argtypes = [c_void_p, POINTER(BatchSpec), c_void_p, c_void_p]
    library.axk1_error.restype = c_char_p
    library.axk1_error.argtypes = [c_void_p]
    library.axk1_store_statistics.argtypes = [c_void_p, POINTER(StoreStatistics)]
    library.axk1_store_statistics.restype = None
    library.axk1_trace.argtypes = [c_void_p, c_int32]
    library.axk1_trace.restype = None
    library.axk1_traced.argtypes = [c_void_p, c_void_p, c_int64]
    library.axk1_traced.restype = c_int64
    library.axk1_simulate.argtypes = [c_void_p, c_int64, c_int64, c_double, c_double, c_void_p]
    library.axk1_simulate.restype = None
    library.axk1_bytes.argtypes = [c_void_p]
    library.axk1_bytes.restype = c_int64
    library.axk1_kernels.restype = c_char_p
    library.axk1_use.argtypes = [c_char_p]
    library.axk1_matmul.argtypes = [POINTER(Matrix), c_void_p, c_int32, c_void_p, c_int32, c_int32]
    return library
