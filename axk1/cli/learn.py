"""The stages that train: pre-training, then fine-tuning on conversations; each leaves a Hugging Face folder."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch

from axk1.chat import template
from axk1.cli.job import Job
from axk1.cli.machine import operators
from axk1.cli.prepare import held_out_shards
from axk1.data.evaluation import Evaluation
from axk1.data.shards import TokenShards
from axk1.data.stages import MOST_EPOCHS, source_use
from axk1.export.huggingface import save
from axk1.posttrain.sft import sft
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.train.fit import Trained
from axk1.train.loop import Validate
from axk1.train.pretrain import pretrain
from axk1.train.settings import TrainingConfig
from axk1.train.validation import validation

__all__ = ["make_base", "make_chat_model"]


def make_base(job: Job) -> Mapping[str, Any]:
    """pretrain/: metrics, resume points, plots; base/: the pre-trained model, in the format it was trained in."""
    config = job.recipe.pretrain
    validate = _validation(job, config.training)
    made = operators(config.training.device, job.say, job.console)
    use = _sources(job)
    trained = pretrain(config, job.folder("data") / "pretrain", job.run, job.screen, validate, made)
    _export(job, trained, "base", None)
    return {**asdict(trained.summary), **({"sources": use} if use else {})}


def make_chat_model(job: Job) -> Mapping[str, Any]:
    """sft/: as pretrain/; model/: the result in bfloat16, the format that the family's checkpoints are published in."""
    config = job.recipe.sft
    assert config is not None  # the stage is left out without it
    validate = _validation(job, config.training)
    made = operators(config.training.device, job.say, job.console)
    trained = sft(config, job.folder("data") / "sft", job.folder("base"), job.run, job.screen, validate, made)
    _export(job, trained, "model", torch.bfloat16)
    return asdict(trained.summary)


def _sources(job: Job) -> dict[str, Any]:
    """How often each source is gone through, said before the training begins."""
    config = job.recipe.pretrain
    if not config.stages:
        return {}
    shards = TokenShards.open(job.folder("data") / "pretrain")
    use = source_use(config.stages, config.training.steps * config.training.tokens_per_step, shards)
    epochs = ", ".join(f"{name} {one.epochs:.2f}" for name, one in use.items())
    job.tell(f"소스별 반복: {epochs}", f"epochs of each source: {epochs}")
    if often := ", ".join(name for name, one in use.items() if one.epochs > MOST_EPOCHS):
        job.tell(
            f"주의: 같은 글을 {MOST_EPOCHS:g}번 넘게 되풀이합니다: {often}",
            f"Warning: read more than {MOST_EPOCHS:g} times: {often}",
        )
    return {name: asdict(one) for name, one in use.items()}


def _validation(job: Job, training: TrainingConfig) -> Validate:
    size = (training.seq_len, training.batch_size)
    return validation({name: Evaluation(part, *size) for name, part in held_out_shards(job).items()})


def _export(job: Job, trained: Trained, name: str, dtype: torch.dtype | None) -> None:
    config = trained.model.config
    files = {**Tokenizer.load(job.folder("tokenizer")).files(), **template.files()}
    mtp = config.num_nextn_predict_layers > 0
    save(trained.model.state_dict(), config, job.folder(name), files, dtype=dtype, mtp=mtp)
    job.tell(f"모델 폴더: {job.folder(name)}", f"model folder: {job.folder(name)}")
