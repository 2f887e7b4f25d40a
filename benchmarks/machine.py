"""What the machine gives right now: GEMM peaks and read bandwidth, measured with torch, and how to record them."""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch


def best_seconds(call: Callable[[], object], repeats: int = 7) -> float:
    """The shortest of several calls, after one that warms up."""
    call()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


def gemm_peak(dtype: torch.dtype, size: int = 1536) -> float:
    """GFLOP/s of a square matrix product in this format (float32 through oneDNN)."""
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    out = torch.empty(size, size, dtype=dtype)
    return 2 * size**3 / best_seconds(lambda: torch.mm(a, b.t(), out=out)) / 1e9


def read_bandwidth(size: int = 1 << 28) -> float:
    """GB/s of reading memory once (the sum of a float32 array)."""
    array = torch.ones(size // 4)
    return size / best_seconds(array.sum) / 1e9


def peaks() -> dict[str, float]:
    torch.set_float32_matmul_precision("medium")
    return {
        "gemm_bf16_gflops": round(gemm_peak(torch.bfloat16)),
        "gemm_fp32_gflops": round(gemm_peak(torch.float32)),
        "read_gb_s": round(read_bandwidth(), 1),
    }


def identity(command: list[str]) -> dict[str, Any]:
    """The machine, the commit and the command, for a line of results."""
    return {
        "cpu": _cpu_model(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": _commit(),
        "command": " ".join(command),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def record(benchmark: str, results: Iterable[Mapping[str, Any]], arguments: list[str]) -> None:
    """Append the results, each with the machine it was measured on, to results/<benchmark>.jsonl."""
    path = Path(__file__).parent / "results" / f"{benchmark}.jsonl"
    path.parent.mkdir(exist_ok=True)
    where = identity(["python", f"benchmarks/{benchmark}.py", *arguments])
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({**one, **where}) + "\n" for one in results)


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor()
    lines = cpuinfo.read_text(encoding="utf-8").split("\n")
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    here = Path(__file__).parent
    shown = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=here, capture_output=True, text=True, check=False
    )
    return shown.stdout.strip()
