"""Pre-training: token shards become a base model."""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from axk1.config import to_mapping
from axk1.data.loader import Loader
from axk1.data.shards import TokenShards
from axk1.data.stages import Stage
from axk1.model.folder import load
from axk1.model.operators import Operators
from axk1.model.transformer import Transformer
from axk1.runs import Run
from axk1.train.architecture import ModelChoice, require_fit, require_same
from axk1.train.device import device_for
from axk1.train.fit import Screen, Trained, fit
from axk1.train.loop import Validate
from axk1.train.precision import prepare_process
from axk1.train.settings import TrainingConfig

__all__ = ["PretrainConfig", "pretrain"]


@dataclass(frozen=True)
class PretrainConfig:
    """`start` is a checkpoint folder of the same architecture to go on from, instead of random weights.

    stages: which sources are read when, and how much of each; without them every document once an epoch, in one order.
    """

    training: TrainingConfig
    model: ModelChoice = field(default_factory=ModelChoice)
    start: Path | None = None
    stages: tuple[Stage, ...] = ()

    def __post_init__(self) -> None:
        if self.stages and abs(total := sum(stage.share for stage in self.stages) - 1) > 1e-6:
            raise ValueError(f"the shares of the stages add up to {1 + total:g}, not to 1")


def pretrain(
    config: PretrainConfig,
    data_folder: Path,
    run: Run,
    screen: Screen,
    validate: Validate | None = None,
    operators: Operators | None = None,
) -> Trained:
    """Train on the shards in `data_folder`, in the folder `pretrain` of `run`; called again, it goes on or is done.

    ValueError if shards, row length or the starting checkpoint do not fit the model; else as Trainer.run.
    """
    training = config.training
    prepare_process(device_for(training.device), training.threads)
    shards = TokenShards.open(data_folder)
    require_fit(config.model.config(), shards.summary.vocab_size, training.seq_len)
    loader = Loader(
        shards,
        training.seq_len,
        training.batch_size,
        training.seed,
        stages=config.stages,
        rows=training.steps * training.micro_batches * training.batch_size,
    )
    torch.manual_seed(training.seed)
    model = _model(config, operators)
    return fit(model, loader, training, run.folder("pretrain"), "pretrain", screen, validate)


@torch.no_grad()
def _set_first_values(model: Transformer, choice: ModelChoice) -> None:
    if choice.embedding_std is not None:
        model.model.embed_tokens.weight.normal_(std=choice.embedding_std)
    for block in model.blocks:
        if choice.post_mlp_norm is not None and block.post_mlp_layernorm is not None:
            block.post_mlp_layernorm.weight.fill_(choice.post_mlp_norm)


def _model(config: PretrainConfig, operators: Operators | None) -> Transformer:
    wanted = config.model.config()
    if config.start is None:
        model = Transformer(wanted, operators)
        _set_first_values(model, config.model)
        return model
    model = load(config.start, torch.float32, operators, mtp=wanted.num_nextn_predict_layers > 0)
    require_same(wanted, to_mapping(model.config), str(config.start))
    return model
