"""Who takes part in the engine benchmark: what each one reads, where it lives, how it is started."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from contest import Contender

HERE = Path(__file__).parent
GB = 10**9


@dataclass(frozen=True)
class Program:
    """`environment` is the folder of its Python ("": this one), `script` what makes it.

    It holds `copies` of its model's file in memory and `extra` bytes more: cache, scratch, code.
    """

    file: str
    environment: str = ""
    script: str = ""
    copies: float = 1.0
    extra: float = 0.7 * GB


PROGRAMS: Mapping[str, Program] = {
    "ours": Program("engine_ours.py"),
    "llama.cpp": Program("engine_llamacpp.py", "llamacpp", "llamacpp.sh"),
    "vLLM": Program("engine_vllm.py", "vllm", "vllm.sh", 1.6, 2.5 * GB),
    "vLLM+zentorch": Program("engine_vllm.py", "vllm-zentorch", "vllm.sh", 1.6, 2.5 * GB),
    "transformers": Program("engine_transformers.py", copies=2.0, extra=1.0 * GB),
}


@dataclass(frozen=True)
class Candidate:
    """A program on one kind of weights. Those of the same `bits` are compared; `weight_bits` counts the scales too."""

    program: str
    model: str
    bits: int
    weight_bits: float

    @property
    def name(self) -> str:
        return f"{self.program} {self.model}"

    @property
    def ours(self) -> bool:
        return self.program == "ours"

    def memory(self, model_bytes: int) -> float:
        """Bytes that it will hold."""
        program = PROGRAMS[self.program]
        return program.copies * model_bytes + program.extra


CANDIDATES = (
    Candidate("ours", "bf16", 16, 16),
    Candidate("llama.cpp", "BF16", 16, 16),
    Candidate("vLLM", "bf16", 16, 16),
    Candidate("vLLM+zentorch", "bf16", 16, 16),
    Candidate("transformers", "bf16", 16, 16),
    Candidate("ours", "int8", 8, 8),
    Candidate("llama.cpp", "Q8_0", 8, 8.5),
    Candidate("ours", "int4-g64", 4, 4.25),
    Candidate("llama.cpp", "Q4_K", 4, 4.5),
)
BITS_OF = {"slice": (8, 4), "30b-a3b": (4,)}  # what these sizes have room for


def chosen(preset: str, patterns: Sequence[str]) -> list[Candidate]:
    """Those of this size whose name has one of the patterns. SystemExit for a pattern that no name has."""
    there = [one for one in CANDIDATES if one.bits in BITS_OF.get(preset, (16, 8, 4))]
    for pattern in patterns:
        if not any(fnmatch(one.name, pattern) for one in there):
            raise SystemExit(f"no contender {pattern!r} at {preset}: {', '.join(one.name for one in there)}")
    return [one for one in there if any(fnmatch(one.name, pattern) for pattern in patterns)]


def python_of(candidate: Candidate, environments: Path) -> Path:
    """The interpreter that runs it."""
    program = PROGRAMS[candidate.program]
    return environments / program.environment / "bin/python" if program.environment else Path(sys.executable)


def how_to_install(candidate: Candidate, environments: Path) -> str | None:
    """The command that makes its environment, None where that is there."""
    if python_of(candidate, environments).exists():
        return None
    program = PROGRAMS[candidate.program]
    return f"benchmarks/peers/{program.script} {environments / program.environment.removesuffix('-zentorch')}"


def start(candidate: Candidate, model: Path, environments: Path, threads: int, log: Path) -> Contender:
    """Loads the model; returns when it is ready to be asked."""
    python = python_of(candidate, environments)
    command = [str(python), str(HERE / PROGRAMS[candidate.program].file), str(model), str(threads)]
    if candidate.program.startswith("vLLM"):
        # beside the interpreter that vLLM was installed with, whichever of the two environments runs
        openmp = (environments / "vllm/lib/libiomp5.so").resolve()
        return Contender(
            command, threads, tcmalloc=True, environment=vllm_environment(threads), preload=[str(openmp)], log=log
        )
    return Contender(command, threads, tcmalloc=candidate.program == "transformers", log=log)


def vllm_environment(threads: int) -> dict[str, str]:
    """What vLLM's workers set for themselves; here the engine is in the process that is timed, without workers."""
    cpus = ",".join(map(str, sorted(os.sched_getaffinity(0))[:threads]))
    return {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": cpus,
        "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",  # it would leave a CPU idle
        "VLLM_MLA_DISABLE": "1",  # its attention on latents knows one size only, and is slower there
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        # a second OpenMP runtime in the process has bound the main thread when this one starts: without "norespect" it
        # would take that one CPU for all there are, and put every thread on it
        "KMP_AFFINITY": f"norespect,granularity=fine,explicit,proclist=[{cpus}]",
        "KMP_BLOCKTIME": "5",
        "KMP_TPAUSE": "0",
    }
