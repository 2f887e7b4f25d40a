"""Which parameters become bf16, and what decides it."""

from pathlib import Path

import pytest
import torch

from axk1.train import precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_auto_follows_the_cpu_flags() -> None:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        pytest.skip("the kernel does not list the CPU's features here")
    flags = cpuinfo.read_text(encoding="utf-8")
    fast = "avx512_bf16" in flags or "amx_bf16" in flags
    assert precision.has_fast_bf16() is fast
    assert precision.parameter_dtype("auto", CPU) == (torch.bfloat16 if fast else torch.float32)


def test_an_explicit_choice_is_kept() -> None:
    assert precision.parameter_dtype("bf16", CPU) == torch.bfloat16
    assert precision.parameter_dtype("fp32", CPU) == torch.float32


def test_an_accelerator_trains_in_bf16_and_routes_in_true_fp32() -> None:
    assert precision.parameter_dtype("auto", GPU) == torch.bfloat16
    torch.set_float32_matmul_precision("highest")
    precision.prepare_process(GPU)
    assert torch.get_float32_matmul_precision() == "highest"
