"""In which number format the matrices live, and what the process is told before any arithmetic.

bf16 on an accelerator and where the CPU multiplies it fast, else fp32. The optimiser keeps fp32 masters in every case.
"""

from typing import Literal

import torch

from axk1.train.heap import keep_freed_memory

__all__ = ["Precision", "has_fast_bf16", "parameter_dtype", "prepare_process"]

Precision = Literal["auto", "bf16", "fp32"]


def has_fast_bf16() -> bool:
    """Whether this CPU has bf16 dot products (AVX-512 BF16 or AMX)."""
    return _cpu_has("avx512_bf16") or _cpu_has("amx_bf16")


def parameter_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The format of the matrices for this setting on this device."""
    if precision == "auto":
        return torch.bfloat16 if device.type != "cpu" or has_fast_bf16() else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def prepare_process(device: torch.device, threads: int | None = None) -> None:
    """Settings of the whole process, before training: threads, the allocator, fp32 products by the faster library."""
    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    # "medium" on an accelerator would be bf16, which a router must not be computed in.
    if device.type == "cpu" and not _cpu_has("amx_bf16"):
        # oneDNN instead of MKL: twice as fast on AMD, and true fp32 where there is no AMX (with AMX it would be bf16).
        torch.set_float32_matmul_precision("medium")


def _cpu_has(feature: str) -> bool:
    return bool(torch.cpu.get_capabilities().get(feature, False))
