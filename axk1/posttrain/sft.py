"""Supervised fine-tuning: a base model learns the chat format and what is asked of an assistant.

Whole conversations are packed into rows, attention does not cross from one to the next, and only what the assistant
says counts in the loss. Thinking and non-thinking samples lie side by side in the shards: the first token of the
assistant's turn tells them apart.
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from axk1.config import to_mapping
from axk1.data.loader import Loader, TooLong
from axk1.data.shards import TokenShards
from axk1.model.folder import load
from axk1.model.operators import Operators
from axk1.runs import Run
from axk1.train.architecture import ModelChoice, require_fit, require_same
from axk1.train.device import device_for
from axk1.train.fit import Screen, Trained, fit
from axk1.train.loop import Validate
from axk1.train.precision import prepare_process
from axk1.train.settings import TrainingConfig

__all__ = ["SftConfig", "sft"]


@dataclass(frozen=True)
class SftConfig:
    """`model`, when given, is checked against the starting checkpoint; `too_long` samples are an error or left out."""

    training: TrainingConfig
    model: ModelChoice | None = None
    too_long: TooLong = "error"

    def __post_init__(self) -> None:
        for name in ("embedding_std", "post_mlp_norm"):
            if self.model is not None and getattr(self.model, name) is not None:
                raise ValueError(f"model.{name} is for random weights: fine-tuning starts from trained ones")


def sft(
    config: SftConfig,
    data_folder: Path,
    start: Path,
    run: Run,
    screen: Screen,
    validate: Validate | None = None,
    operators: Operators | None = None,
) -> Trained:
    """Fine-tune the checkpoint folder `start` on the shards in `data_folder`, in the folder `sft` of `run`.

    Called again, it goes on from its last resume point, or is done. ValueError if the shards carry no loss mask or do
    not fit the model, or `start` is of another architecture than `config.model`; else as Trainer.run.
    """
    training = config.training
    prepare_process(device_for(training.device), training.threads)
    shards = TokenShards.open(data_folder)
    if not shards.summary.loss_mask:
        raise ValueError(f"{data_folder} has no loss masks: fine-tuning learns from conversations, not from plain text")
    torch.manual_seed(training.seed)
    model = load(start, torch.float32, operators, mtp=training.mtp_weight > 0)
    if config.model is not None:
        require_same(config.model.config(), to_mapping(model.config), str(start))
    require_fit(model.config, shards.summary.vocab_size, training.seq_len)
    loader = Loader(
        *(shards, training.seq_len, training.batch_size, training.seed, "documents"), too_long=config.too_long
    )
    return fit(model, loader, training, run.folder("sft"), "sft", screen, validate)
