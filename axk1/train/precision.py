"""In which number format the parameters live, and what the process is told before any arithmetic.

bf16 where the CPU multiplies it fast, else fp32. Small parameters (norms, router gate) are fp32 either way: they cost
nothing, and a bf16 router changes its choices by rounding. The optimiser keeps fp32 masters in every case.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from axk1.train.heap import keep_freed_memory

__all__ = ["Precision", "cast_parameters", "has_fast_bf16", "parameter_dtype", "prepare_process"]

Precision = Literal["auto", "bf16", "fp32"]


def has_fast_bf16() -> bool:
    """Whether this CPU has bf16 dot products (AVX-512 BF16 or AMX)."""
    return _cpu_has("avx512_bf16") or _cpu_has("amx_bf16")


def parameter_dtype(precision: Precision) -> torch.dtype:
    """The format of the matrices for this setting on this CPU."""
    if precision == "auto":
        return torch.bfloat16 if has_fast_bf16() else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def cast_parameters(model: nn.Module, dtype: torch.dtype) -> None:
    """Give every matrix of `model` this format and every small parameter fp32, in place (gradients are dropped)."""
    for name, parameter in model.named_parameters():
        parameter.data = parameter.data.to(torch.float32 if stays_fp32(name, parameter) else dtype)
        parameter.grad = None


def stays_fp32(name: str, parameter: Tensor) -> bool:
    """Norm weights and the router gate are fp32 whatever the precision."""
    return parameter.ndim < 2 or name.endswith(".mlp.gate.weight")


def prepare_process(threads: int | None = None) -> None:
    """Settings of the whole process, before training: threads, the allocator, fp32 products by the faster library."""
    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    if not _cpu_has("amx_bf16"):
        # oneDNN instead of MKL: twice as fast on AMD, and true fp32 where there is no AMX (with AMX it would be bf16).
        torch.set_float32_matmul_precision("medium")


def _cpu_has(feature: str) -> bool:
    return bool(torch.cpu.get_capabilities().get(feature, False))
