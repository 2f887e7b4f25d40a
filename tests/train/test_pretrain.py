"""Pre-training from end to end with a tiny model: it learns, resumes bit for bit, and refuses what cannot work."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from axk1.config import to_mapping
from axk1.data.evaluation import Evaluation
from axk1.data.shards import TokenShards
from axk1.model.fused import FusedOperators
from axk1.model.operators import Operators
from axk1.model.plain import PlainOperators
from axk1.native import NativeUnavailableError
from axk1.runs import Metrics, Run
from axk1.train import state
from axk1.train.architecture import ModelChoice
from axk1.train.fit import Screen, Trained
from axk1.train.loop import Validate
from axk1.train.pretrain import PretrainConfig, pretrain
from axk1.train.settings import TrainingConfig
from axk1.train.validation import validation

TIMES = ("seconds", "tokens_per_second")


def train(config: PretrainConfig, shards: Path, folder: Path, screen: Screen, **rest: Any) -> Trained:
    run = Run.open(folder, to_mapping(config), config.training.seed)
    try:
        return pretrain(config, shards, run, screen, **rest)
    finally:
        run.close()


def metrics(folder: Path) -> list[dict[str, Any]]:
    lines = Metrics(folder / "pretrain" / "metrics.jsonl").read()
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]


def final_state(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    path = state.newest(folder / "pretrain" / "state")
    assert path is not None
    tensors, values = state.load(path)
    return tensors, {key: value for key, value in values.items() if key not in TIMES}


def assert_same_run(one: Path, other: Path) -> None:
    (tensors, values), (expected, expected_values) = final_state(one), final_state(other)
    assert values == expected_values
    assert tensors.keys() == expected.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, expected[name]), name
    assert metrics(one) == metrics(other)


def test_the_loss_falls_and_everything_is_recorded(
    tiny: ModelChoice, training: TrainingConfig, shards: Path, tmp_path: Path, screen: Screen
) -> None:
    config = PretrainConfig(replace(training, tokens=80 * 64, validate_steps=40), tiny)
    held_out = validation({"": Evaluation(TokenShards.open(shards), 16, 4, documents=20)})
    result = train(config, shards, tmp_path / "run", screen, validate=held_out)
    lines = metrics(tmp_path / "run")
    losses = [line["loss"] for line in lines if "loss" in line]
    assert len(losses) == 80
    assert losses[0] == pytest.approx(3.5, abs=0.4)  # ln 32, and a little for the initial weights
    assert sum(losses[-5:]) / 5 < losses[0] - 1
    validations = [line["validation"]["bits_per_byte"] for line in lines if "validation" in line]
    assert len(validations) == 2
    assert validations[1] < validations[0]
    assert result.summary.validation == {"bits_per_byte": validations[1]}
    assert (result.summary.steps, result.summary.tokens) == (80, 80 * 64)
    assert any("load" in line for line in lines)
    assert {path.name for path in (tmp_path / "run/pretrain").glob("*.png")} == {"training.png", "experts.png"}


def test_the_first_values_that_a_recipe_may_set(
    tiny: ModelChoice, training: TrainingConfig, shards: Path, tmp_path: Path, screen: Screen
) -> None:
    choice = replace(tiny, embedding_std=0.5, post_mlp_norm=0.25)
    still = replace(training, tokens=training.tokens_per_step, learning_rate=1e-9)
    model = train(PretrainConfig(still, choice), shards, tmp_path / "run", screen).model
    assert model.model.embed_tokens.weight.detach().std().item() == pytest.approx(0.5, rel=0.2)
    norms = [block.post_mlp_layernorm for block in model.blocks if block.post_mlp_layernorm is not None]
    assert norms
    assert all(torch.allclose(norm.weight, torch.tensor(0.25)) for norm in norms)
    assert torch.allclose(model.model.norm.weight, torch.tensor(1.0))


def test_bits_per_byte_against_the_definition(
    tiny: ModelChoice, training: TrainingConfig, shards: Path, tmp_path: Path, screen: Screen
) -> None:
    model = train(PretrainConfig(training, tiny), shards, tmp_path / "run", screen).model
    opened = TokenShards.open(shards)
    found = validation({"real": Evaluation(opened, 16, 3)})(model)["real_bits_per_byte"]
    bits, text_bytes = 0.0, sum(opened.text_bytes(i) for i in range(len(opened)))
    with torch.no_grad():
        for batch in Evaluation(opened, 16, 3):
            log_probabilities = model(batch.tokens_BT).double().log_softmax(-1)
            wanted = batch.targets_BT != -100
            chosen = log_probabilities.gather(-1, batch.targets_BT.clamp(min=0).unsqueeze(-1)).squeeze(-1)
            bits -= float(chosen[wanted].sum()) / 0.6931471805599453
    assert found == pytest.approx(bits / text_bytes, rel=1e-5)


def test_a_dense_model_trains_and_recomputation_changes_nothing(
    tiny: ModelChoice, training: TrainingConfig, shards: Path, tmp_path: Path, screen: Screen
) -> None:
    dense = ModelChoice(tiny.preset, {**tiny.overrides, "first_k_dense_replace": 3})
    train(PretrainConfig(training, dense), shards, tmp_path / "dense", screen)
    assert {path.name for path in (tmp_path / "dense/pretrain").glob("*.png")} == {"training.png"}
    train(PretrainConfig(training, tiny), shards, tmp_path / "kept", screen)
    train(PretrainConfig(replace(training, recompute=True), tiny), shards, tmp_path / "again", screen)
    assert_same_run(tmp_path / "again", tmp_path / "kept")


def test_a_finished_run_returns_at_once_with_the_same_weights(
    tiny: ModelChoice, training: TrainingConfig, shards: Path, tmp_path: Path, screen: Screen
) -> None:
    config = PretrainConfig(training, tiny)
    first = train(config, shards, tmp_path / "run", screen)
    lines = metrics(tmp_path / "run")
    second = train(config, shards, tmp_path / "run", screen)
    assert metrics(tmp_path / "run") == lines
    assert second.summary == first.summary
    assert all(torch.equal(t, second.model.state_dict()[name]) for name, t in first.model.state_dict().items())


def fused_operators() -> Operators:
    try:
        return FusedOperators()
    except NativeUnavailableError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("optimizer", "precision", "operators"), [("adamw", "bf16", fused_operators), ("muon", "fp32", PlainOperators)]
)
def test_stopping_and_resuming_equals_an_unbroken_run(
    tiny: ModelChoice,
    training: TrainingConfig,
    shards: Path,
    tmp_path: Path,
    screen: Screen,
    optimizer: str,
    precision: Any,
    operators: Callable[[], Operators],
) -> None:
    chosen = replace(training.optimizer, name=optimizer)
    settings = replace(training, optimizer=chosen, precision=precision, tokens=6 * 128, micro_batches=2)
    mtp = ModelChoice(tiny.preset, {**tiny.overrides, "num_nextn_predict_layers": 1})
    config = PretrainConfig(replace(settings, validate_steps=2, mtp_weight=0.3), mtp)
    calls = []

    def constant(model: object) -> dict[str, float]:
        return {"one": 1.0}

    def interrupt(model: object) -> dict[str, float]:
        calls.append(1)
        os.kill(os.getpid(), signal.SIGINT if len(calls) == 1 else signal.SIGTERM)
        return {"one": 1.0}

    def start(name: str, validate: Validate) -> None:
        train(config, shards, tmp_path / name, screen, validate=validate, operators=operators())

    start("whole", constant)
    with pytest.raises(KeyboardInterrupt):
        start("broken", interrupt)
    with pytest.raises(SystemExit, match=str(128 + signal.SIGTERM)):
        start("broken", interrupt)
    start("broken", constant)
    assert_same_run(tmp_path / "broken", tmp_path / "whole")


SCRIPT = """
import json, sys
from pathlib import Path
from rich.console import Console
from axk1.config import from_mapping
from axk1.runs import Run
from axk1.train.fit import Screen
from axk1.train.loop import Validate
from axk1.train.pretrain import PretrainConfig, pretrain
config = from_mapping(json.loads(sys.argv[1]), PretrainConfig)
run = Run.open(Path(sys.argv[3]), json.loads(sys.argv[1]), 0)
pretrain(config, Path(sys.argv[2]), run, Screen(Console(stderr=True), "en"))
"""


def test_kill_minus_nine_at_a_random_moment_loses_nothing(
    tiny: ModelChoice, training: TrainingConfig, shards: Path, tmp_path: Path, screen: Screen
) -> None:
    config = PretrainConfig(replace(training, tokens=60 * 64, checkpoint_seconds=0.05), tiny)
    train(config, shards, tmp_path / "whole", screen)
    command = [sys.executable, "-c", SCRIPT, json.dumps(to_mapping(config)), str(shards), str(tmp_path / "killed")]
    killed = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    moment = random.Random(time.time_ns())
    step = moment.randrange(2, 40)
    while len(metrics(tmp_path / "killed")) < step:
        assert killed.poll() is None, "the run ended before it could be killed"
        time.sleep(0.002)
    time.sleep(moment.random() * 0.02)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    train(config, shards, tmp_path / "killed", screen)
    assert_same_run(tmp_path / "killed", tmp_path / "whole")


def test_a_full_disk_does_not_end_the_run(
    tiny: ModelChoice,
    training: TrainingConfig,
    shards: Path,
    tmp_path: Path,
    screen: Screen,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save, tries = state.save, []

    def full_once(*arguments: Any) -> Path:
        tries.append(1)
        if len(tries) == 2:
            raise OSError(28, "the disk is full")
        return save(*arguments)

    monkeypatch.setattr(state, "save", full_once)
    config = PretrainConfig(replace(training, tokens=4 * 64, checkpoint_seconds=0.0), tiny)
    monkeypatch.setattr("axk1.train.loop._SAVING_SHARE", 1e9)
    train(config, shards, tmp_path / "run", screen)
    assert len(tries) == 4
    assert capsys.readouterr().out.count("Not saved, training goes on: [Errno 28] the disk is full") == 1


@pytest.mark.parametrize(
    ("change", "model", "message"),
    [
        ({}, {"vocab_size": 31}, "vocabulary of 32, the model has 31"),
        ({"seq_len": 65, "tokens": 10000}, {}, "seq_len 65 is longer than the model's context of 64"),
        ({}, {"hiden_size": 8}, "unknown key 'hiden_size'; did you mean 'hidden_size'"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(
    tiny: ModelChoice,
    training: TrainingConfig,
    shards: Path,
    tmp_path: Path,
    screen: Screen,
    change: dict[str, Any],
    model: dict[str, Any],
    message: str,
) -> None:
    config = PretrainConfig(replace(training, **change), ModelChoice("nano", {**tiny.overrides, **model}))
    with pytest.raises(ValueError, match=message) as error:
        train(config, shards, tmp_path / "run", screen)
    assert "\n" not in str(error.value)


def test_resuming_with_another_architecture_names_what_differs(
    tiny: ModelChoice, training: TrainingConfig, shards: Path, tmp_path: Path, screen: Screen
) -> None:
    train(PretrainConfig(training, tiny), shards, tmp_path / "run", screen)
    (tmp_path / "run" / "run.json").unlink()
    other = PretrainConfig(training, ModelChoice("nano", {**tiny.overrides, "moe_intermediate_size": 24}))
    with pytest.raises(ValueError, match=r"another architecture: moe_intermediate_size 16 \(wanted 24\)"):
        train(other, shards, tmp_path / "run", screen)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="tokens 10 are less than one step of 4096"):
        TrainingConfig(tokens=10)
    with pytest.raises(ValueError, match="batch_size must be above 0"):
        TrainingConfig(tokens=10, batch_size=0)
