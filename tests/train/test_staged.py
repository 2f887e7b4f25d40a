"""Pre-training in stages: a run that was stopped, at a border between stages too, ends as an unbroken one."""

import os
import signal
from pathlib import Path

import pytest
import torch

from axk1.config import to_mapping
from axk1.data.shards import ShardWriter
from axk1.data.stages import Stage
from axk1.runs import Metrics, Run
from axk1.train import state
from axk1.train.architecture import ModelChoice
from axk1.train.fit import Screen
from axk1.train.loop import Validate
from axk1.train.pretrain import PretrainConfig, pretrain
from axk1.train.settings import TrainingConfig

TIMES = ("seconds", "tokens_per_second")
STAGES = (Stage(0.5, {"up": 3, "down": 1}), Stage(0.5, {"down": 1}))


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Two sources: one counts up, the other down."""
    with ShardWriter(tmp_path / "shards", vocab_size=32) as writer:
        for source, step in (("up", 1), ("down", -1)):
            for start in range(60):
                writer.add([4 + (start + step * i) % 28 for i in range(9)], text_bytes=18, source=source)
    return tmp_path / "shards"


def stopping_at(steps: set[int]) -> Validate:
    """Asks the process to stop after these validations, one of which follows every step."""
    calls: list[int] = []

    def validate(_model: object) -> dict[str, float]:
        calls.append(1)
        if len(calls) in steps:
            os.kill(os.getpid(), signal.SIGINT)
        return {"one": 1.0}

    return validate


@pytest.mark.parametrize("stop", [3, 5, 6])
def test_a_run_in_stages_resumes_bit_for_bit(
    stop: int, tiny: ModelChoice, training: TrainingConfig, shards: Path, tmp_path: Path, screen: Screen
) -> None:
    config = PretrainConfig(
        TrainingConfig(**{**vars(training), "tokens": 10 * 64, "validate_steps": 1}), tiny, stages=STAGES
    )

    def start(name: str, validate: Validate) -> None:
        run = Run.open(tmp_path / name, to_mapping(config), 0)
        try:
            pretrain(config, shards, run, screen, validate)
        finally:
            run.close()

    start("whole", stopping_at(set()))
    with pytest.raises(KeyboardInterrupt):
        start("broken", stopping_at({stop}))
    start("broken", stopping_at(set()))
    ends, lines = [], []
    for name in ("whole", "broken"):
        path = state.newest(tmp_path / name / "pretrain" / "state")
        assert path is not None
        ends.append(state.load(path)[0])
        every = Metrics(tmp_path / name / "pretrain" / "metrics.jsonl").read()
        lines.append([{key: value for key, value in line.items() if key not in TIMES} for line in every])
    assert lines[0] == lines[1]
    assert all(torch.equal(tensor, ends[1][name]) for name, tensor in ends[0].items())


def test_stages_that_make_no_whole_are_refused(training: TrainingConfig) -> None:
    with pytest.raises(ValueError, match=r"add up to 0\.5, not to 1"):
        PretrainConfig(training, stages=(STAGES[0],))
