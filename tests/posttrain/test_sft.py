"""Fine-tuning: only the assistant's tokens count, samples do not see each other, and wrong input is one clear line."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from axk1.arch import ModelConfig
from axk1.config import to_mapping
from axk1.data.loader import Loader
from axk1.data.shards import ShardWriter, TokenShards
from axk1.export.huggingface import save
from axk1.model.transformer import Transformer
from axk1.posttrain.sft import SftConfig, sft
from axk1.runs import Metrics, Run
from axk1.train.architecture import ModelChoice
from axk1.train.fit import Screen, Trained
from axk1.train.settings import TrainingConfig

USER, THINK, ANSWER, END = 8, 4, 5, 1
TRAINING = TrainingConfig(
    tokens=120 * 4 * 24, seq_len=24, batch_size=4, precision="fp32", threads=1, learning_rate=1e-2, balance_loss=0.0
)
SCREEN = Screen(Console(width=200), "en")


def shape(**changes: float) -> ModelConfig:
    values = {
        "vocab_size": 32,
        "hidden_size": 32,
        "intermediate_size": 48,
        "moe_intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "q_lora_rank": 16,
        "kv_lora_rank": 8,
        "qk_nope_head_dim": 8,
        "qk_rope_head_dim": 8,
        "v_head_dim": 8,
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "max_position_embeddings": 32,
        "initializer_range": 0.1,
    }
    return ModelConfig(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def own_settings() -> Iterator[None]:
    """Training sets up the whole process; other tests get their settings back."""
    threads, products = torch.get_num_threads(), torch.get_float32_matmul_precision()
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(products)


@pytest.fixture
def start(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = shape()
    save(Transformer(config).state_dict(), config, tmp_path / "base", {})
    return tmp_path / "base"


def conversation(rng: random.Random) -> tuple[list[int], list[bool]]:
    """The user says x at random; thinking, the assistant says x, x; not thinking, only x + 1."""
    x, thinking = rng.randrange(10, 16), rng.random() < 0.5
    said = [THINK, x, x, END] if thinking else [ANSWER, x + 1, END]
    prompt = [USER, rng.randrange(10, 30), x]
    # the first token of the turn is the prompt's: it says which mode is wanted
    return prompt + said, [False] * (len(prompt) + 1) + [True] * (len(said) - 1)


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    rng = random.Random(0)
    with ShardWriter(tmp_path / "shards", vocab_size=32, with_loss_mask=True) as writer:
        for _ in range(400):
            ids, mask = conversation(rng)
            writer.add(ids, mask)
    return tmp_path / "shards"


def tune(config: SftConfig, shards: Path, start: Path, folder: Path) -> Trained:
    run = Run.open(folder, to_mapping(config), config.training.seed)
    try:
        return sft(config, shards, start, run, SCREEN)
    finally:
        run.close()


def test_both_modes_are_learnt_in_one_model_and_only_the_assistant_counts(
    shards: Path, start: Path, tmp_path: Path
) -> None:
    model = tune(SftConfig(TRAINING), shards, start, tmp_path / "run").model
    lines = [line for line in Metrics(tmp_path / "run/sft/metrics.jsonl").read() if "loss" in line]
    # had the user's random tokens counted, the loss could not fall below their entropy: 3 nats for every other one
    assert sum(line["loss"] for line in lines[-10:]) / 10 < 0.3
    assert all(0 < line["targets"] < 0.6 * TRAINING.tokens_per_step for line in lines)
    thinking = torch.tensor([[USER, 21, 13, THINK], [USER, 29, 14, THINK]])
    answering = torch.tensor([[USER, 21, 13, ANSWER], [USER, 29, 14, ANSWER]])
    with torch.no_grad():
        assert model(thinking)[:, -1].argmax(-1).tolist() == [13, 14]
        assert model(answering)[:, -1].argmax(-1).tolist() == [14, 15]


def test_the_loss_is_that_of_each_sample_alone(shards: Path, start: Path, tmp_path: Path) -> None:
    """The first step's loss, from packed rows, against each of its samples run by itself through forward."""
    tune(SftConfig(replace(TRAINING, tokens=TRAINING.tokens_per_step)), shards, start, tmp_path / "run")
    found = Metrics(tmp_path / "run/sft/metrics.jsonl").read()[0]
    torch.manual_seed(0)
    model = Transformer(shape())  # as `start` was made
    batch = Loader(TokenShards.open(shards), 24, 4, 0, "documents").next()
    assert batch.documents_BT is not None
    nats, targets = 0.0, 0
    for row in range(4):
        for sample in range(int(batch.documents_BT[row].max()) + 1):
            mine = batch.documents_BT[row] == sample
            wanted = batch.targets_BT[row, mine]
            with torch.no_grad():
                logits = model(batch.tokens_BT[row, mine].unsqueeze(0))[0]
            nats += float(torch.nn.functional.cross_entropy(logits, wanted, ignore_index=-100, reduction="sum"))
            targets += int((wanted != -100).sum())
    assert found["targets"] == targets
    assert found["loss"] == pytest.approx(nats / targets, rel=1e-5)


def test_another_architecture_is_named(shards: Path, start: Path, tmp_path: Path) -> None:
    wanted = {**to_mapping(shape(moe_intermediate_size=24, n_routed_experts=8)), "num_hidden_layers": 2}
    with pytest.raises(ValueError, match="another architecture") as error:
        tune(SftConfig(TRAINING, ModelChoice("nano", wanted)), shards, start, tmp_path / "run")
    assert "moe_intermediate_size 16 (wanted 24)" in str(error.value)
    assert "n_routed_experts 4 (wanted 8)" in str(error.value)
    assert "hidden_size" not in str(error.value)


def test_shards_without_masks_are_refused(start: Path, tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "plain", vocab_size=32) as writer:
        writer.add([5, 6, 7])
    with pytest.raises(ValueError, match="has no loss masks"):
        tune(SftConfig(TRAINING), tmp_path / "plain", start, tmp_path / "run")


def test_too_large_a_vocabulary_and_too_long_rows_are_refused(shards: Path, start: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="seq_len 64 is longer than the model's context of 32"):
        tune(SftConfig(replace(TRAINING, seq_len=64)), shards, start, tmp_path / "run")
    with ShardWriter(tmp_path / "large", vocab_size=99, with_loss_mask=True) as writer:
        writer.add([5, 98, 7], [False, True, True])
    with pytest.raises(ValueError, match="vocabulary of 99, the model has 32"):
        tune(SftConfig(TRAINING), tmp_path / "large", start, tmp_path / "other")


def test_samples_longer_than_a_row_are_an_error_or_left_out(shards: Path, start: Path, tmp_path: Path) -> None:
    short = replace(TRAINING, seq_len=5, tokens=4 * 5 * 2)
    with pytest.raises(ValueError, match="longer than"):
        tune(SftConfig(short), shards, start, tmp_path / "run")
    assert tune(SftConfig(short, too_long="drop"), shards, start, tmp_path / "other").summary.steps == 2


def test_fine_tuning_does_not_begin_from_random_weights() -> None:
    with pytest.raises(ValueError, match="embedding_std is for random weights"):
        SftConfig(TRAINING, ModelChoice("nano", embedding_std=1.0))
    with pytest.raises(ValueError, match="post_mlp_norm is for random weights"):
        SftConfig(TRAINING, ModelChoice("nano", post_mlp_norm=0.2))
