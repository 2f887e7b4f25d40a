"""What the training loop is told, for pre-training and post-training alike."""

from dataclasses import dataclass, field
from typing import Literal

from axk1.train.device import Device
from axk1.train.optimizer import OptimizerConfig
from axk1.train.precision import Precision
from axk1.train.schedule import Schedule
from axk1.train.spike import SpikeConfig

__all__ = ["Language", "TrainingConfig"]

Language = Literal["ko", "en"]


@dataclass(frozen=True)
class TrainingConfig:
    """One step is `micro_batches` batches of `batch_size` rows of `seq_len` tokens; the run is `tokens` long."""

    tokens: int
    seq_len: int = 512
    batch_size: int = 8
    micro_batches: int = 1
    learning_rate: float = 2e-3
    clip: float = 1.0  # largest global gradient norm; 0 = no clipping
    balance_rate: float = 1e-3  # step of the routers' selection bias, per optimiser step
    balance_loss: float = 1e-4  # weight of the sequence-wise balance loss
    mtp_weight: float = 0.0  # weight of the multi-token prediction loss
    seed: int = 0
    device: Device = "auto"  # a GPU where torch finds one, else the CPU
    precision: Precision = "auto"
    recompute: bool = False  # run blocks again in the backward pass instead of keeping what they computed
    threads: int | None = None  # torch's choice when absent
    checkpoint_seconds: float = 60.0
    validate_steps: int = 0  # steps between validations; 0 = only at the end
    load_steps: int = 0  # steps between records of the load of every expert; 0 = about 200 over the run
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: Schedule = field(default_factory=Schedule)
    spikes: SpikeConfig = field(default_factory=SpikeConfig)

    def __post_init__(self) -> None:
        for name in ("tokens", "seq_len", "batch_size", "micro_batches", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, found {getattr(self, name)}")
        if self.tokens < self.tokens_per_step:
            raise ValueError(f"tokens {self.tokens} are less than one step of {self.tokens_per_step}")

    @property
    def tokens_per_step(self) -> int:
        """Tokens that one optimiser step reads, ignored targets included."""
        return self.micro_batches * self.batch_size * self.seq_len

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.tokens // self.tokens_per_step
