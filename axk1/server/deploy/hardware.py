"""GPUs by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = ["GPUS", "Cluster", "Gpu", "gpu"]

GB = 10**9


@dataclass(frozen=True)
class Gpu:
    """`memory` in bytes: the decimal gigabytes that its maker prints on it, which is the smaller reading. Drivers show
    some 7 % more for the 80 GB ones (H100: 81,559 MiB)."""

    name: str
    memory: int
    maker: Literal["nvidia", "amd"] = "nvidia"
    fp8: bool = True  # whether its matrix units multiply FP8


GPUS: Mapping[str, Gpu] = MappingProxyType(
    {
        one.name: one
        for one in (
            Gpu("A100-80", 80 * GB, fp8=False),
            Gpu("H100-80", 80 * GB),
            Gpu("H200-141", 141 * GB),
            Gpu("B200-192", 192 * GB),
            Gpu("MI300X-192", 192 * GB, "amd"),
        )
    }
)


@dataclass(frozen=True)
class Cluster:
    """Equal nodes with equal GPUs. ValueError for less than one of them."""

    nodes: int
    gpus: int  # of a node
    gpu: Gpu

    def __post_init__(self) -> None:
        for name, value in (("nodes", self.nodes), ("gpus", self.gpus), ("gpu memory", self.gpu.memory)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")

    @property
    def total(self) -> int:
        """All GPUs."""
        return self.nodes * self.gpus


def gpu(name: str, memory: float | None = None) -> Gpu:
    """The GPU of that name; `memory` (GB) replaces what is known, or tells it of an unknown one. ValueError."""
    known = {one.lower(): found for one, found in GPUS.items()}.get(name.lower())
    if memory is not None:
        size = int(memory * GB)
        return Gpu(name, size) if known is None else Gpu(known.name, size, known.maker, known.fp8)
    if known is None:
        raise ValueError(f"no GPU {name!r}: use one of {', '.join(GPUS)}, or say its memory in GB with --gpu-memory")
    return known
