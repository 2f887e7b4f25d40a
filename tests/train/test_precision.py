"""Which parameters become bf16, and what decides it."""

from pathlib import Path

import pytest
import torch

from axk1.train import precision


def test_auto_follows_the_cpu_flags() -> None:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        pytest.skip("the kernel does not list the CPU's features here")
    flags = cpuinfo.read_text(encoding="utf-8")
    fast = "avx512_bf16" in flags or "amx_bf16" in flags
    assert precision.has_fast_bf16() is fast
    assert precision.parameter_dtype("auto") == (torch.bfloat16 if fast else torch.float32)


def test_an_explicit_choice_is_kept() -> None:
    assert precision.parameter_dtype("bf16") == torch.bfloat16
    assert precision.parameter_dtype("fp32") == torch.float32
