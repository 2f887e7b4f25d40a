"""The training loop, for pre-training and post-training alike: steps, metrics, validation, resume points.

A run folder holds `metrics.jsonl` (a line per step, a line per validation) and `state/step-*` (the last two resume
points). A resumed run writes the metrics and reaches the weights of an unbroken one, bit for bit, on one machine with
one number of threads.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from axk1.config import from_mapping, to_mapping
from axk1.data.loader import Loader, LoaderState
from axk1.model.transformer import Transformer
from axk1.runs import Metrics
from axk1.train import state
from axk1.train.architecture import require_same
from axk1.train.balance import LoadMeter
from axk1.train.optimizer import Optimizer, restore
from axk1.train.progress import Display
from axk1.train.settings import TrainingConfig
from axk1.train.signals import StopRequest
from axk1.train.spike import SpikeGuard
from axk1.train.step import StepResult, take_step

__all__ = ["Summary", "Trainer", "Validate"]

# Names to numbers, for example {"bits_per_byte": 1.21}; called under no_grad.
Validate = Callable[[Transformer], Mapping[str, float]]

# A resume point may cost this share of the time since the last one; larger models save less often.
_SAVING_SHARE = 0.05
_OPTIMIZER = "optimizer/"


@dataclass(frozen=True)
class Summary:
    """Of the whole run, resumed parts included. `validation` is the last one."""

    steps: int
    tokens: int
    seconds: float
    loss: float
    validation: Mapping[str, float]


class Trainer:
    """Owns a run folder's training from its last resume point (or the start) to the last step."""

    def __init__(
        self,
        model: Transformer,
        optimizer: Optimizer,
        loader: Loader,
        config: TrainingConfig,
        folder: Path,
        display: Display,
        validate: Validate | None = None,
    ) -> None:
        self._model, self._optimizer, self._loader, self._config = model, optimizer, loader, config
        self._display, self._validate = display, validate
        self._states = folder / "state"
        self._metrics = Metrics(folder / "metrics.jsonl")
        self._guard = SpikeGuard(config.spikes)
        self._meter = LoadMeter(len(model.routers), model.config.n_routed_experts)
        self._step, self._seconds, self._loss = 0, 0.0, float("nan")
        self._validation: Mapping[str, float] = {}
        self._saved, self._due = -1, 0.0

    def run(self) -> Summary:
        """Train to the end. DivergenceError, OSError; asked to stop, it saves, then KeyboardInterrupt or SystemExit."""
        self._resume()
        self._due = time.monotonic() + self._config.checkpoint_seconds
        with self._display, StopRequest() as stop:
            while self._step < self._config.steps and stop.received is None:
                self._advance()
                self._save_if_due()
            if self._saved != self._step:
                self._save()
            if stop.received is not None:
                self._display.say(
                    f"{self._step}단계에서 멈췄습니다. 같은 명령으로 이어서 학습합니다.",
                    f"Stopped at step {self._step}; the same command goes on from here.",
                )
        stop.end_as_asked()
        return Summary(
            self._step, self._step * self._config.tokens_per_step, self._seconds, self._loss, self._validation
        )

    def _advance(self) -> None:
        config, began = self._config, time.perf_counter()
        learning_rate = config.learning_rate * config.schedule.factor(self._step, config.steps)
        batches = [self._loader.next() for _ in range(config.micro_batches)]
        result = take_step(self._model, self._optimizer, batches, learning_rate, config, self._guard)
        seconds = time.perf_counter() - began
        self._step, self._seconds, self._loss = self._step + 1, self._seconds + seconds, result.loss
        self._record(result, learning_rate, seconds)
        self._display.step(self._step, seconds, result.loss, learning_rate, result.grad_norm)
        if verdict := result.verdict.reason:
            self._display.say(f"{self._step}단계 이상: {verdict}", f"Step {self._step}: {verdict}")
        if self._validation_is_due():
            self._run_validation()

    def _record(self, result: StepResult, learning_rate: float, seconds: float) -> None:
        balance = self._meter.measure(result.load_LE)
        values: dict[str, Any] = {
            "step": self._step,
            "tokens": self._step * self._config.tokens_per_step,
            "targets": result.targets,
            "loss": result.loss,
            "balance_loss": result.balance,
            "mtp_loss": result.mtp,
            "learning_rate": learning_rate,
            "grad_norm": result.grad_norm,
            "maxvio": balance.worst_violation,
            "mean_violation": balance.mean_violation,
            "least_load": balance.least_load,
            "dead_experts": balance.dead_experts,
            "seconds": round(self._seconds, 3),
            "tokens_per_second": round(self._config.tokens_per_step / seconds, 1),
        }
        if result.verdict.kind != "ordinary":
            values |= {"event": result.verdict.kind, "skipped": result.verdict.skip, "reason": result.verdict.reason}
        every = self._config.load_steps or max(1, self._config.steps // 200)
        if self._step % every == 0 or self._step == 1:
            values["load"] = result.load_LE.tolist()
        self._metrics.write(**values)

    def _validation_is_due(self) -> bool:
        every = self._config.validate_steps
        return self._step == self._config.steps or (every > 0 and self._step % every == 0)

    @torch.no_grad()
    def _run_validation(self) -> None:
        if self._validate is None:
            return
        self._validation = dict(self._validate(self._model))
        tokens = self._step * self._config.tokens_per_step
        self._metrics.write(step=self._step, tokens=tokens, validation=self._validation)
        numbers = ", ".join(f"{name} {value:.4f}" for name, value in self._validation.items())
        self._display.say(f"{self._step}단계 검증: {numbers}", f"Step {self._step} validation: {numbers}")

    def _save_if_due(self) -> None:
        if time.monotonic() < self._due:
            return
        began = time.monotonic()
        try:
            self._save()
        except OSError as error:  # the run is worth more than this resume point; the next try may find room
            self._display.say(f"중간 저장 실패, 학습은 계속합니다: {error}", f"Not saved, training goes on: {error}")
        took = time.monotonic() - began
        self._due = time.monotonic() + max(self._config.checkpoint_seconds, took / _SAVING_SHARE)

    def _save(self) -> None:
        values = {
            "step": self._step,
            "seconds": self._seconds,
            "loss": self._loss,
            "validation": self._validation,
            "loader": to_mapping(self._loader.state()),
            "guard": self._guard.state(),
            "model": to_mapping(self._model.config),
        }
        state.save(self._states, self._step, {**self._live(), **_prefixed(self._optimizer.state_dict())}, values)
        self._saved = self._step

    def _live(self) -> dict[str, Tensor]:
        """Everything outside the optimiser that a resume must bring back; the tensors themselves, no copies."""
        tensors = dict(self._model.named_parameters())
        tensors |= {name: buffer for name, buffer in self._model.state_dict().items() if name not in tensors}
        live = {f"model/{name}": tensor.detach() for name, tensor in tensors.items()}
        return {**live, "mean_load": self._meter.mean_LE, "random": torch.get_rng_state()}

    @torch.no_grad()
    def _resume(self) -> None:
        path = state.newest(self._states)
        if path is None:
            self._metrics.truncate_after(0)
            return
        tensors, values = state.load(path)
        require_same(self._model.config, values["model"], str(path))
        live = self._live()
        restore(live, {name: tensor for name, tensor in tensors.items() if not name.startswith(_OPTIMIZER)}, str(path))
        torch.set_rng_state(live["random"])
        optimizer = {name: tensor for name, tensor in tensors.items() if name.startswith(_OPTIMIZER)}
        self._optimizer.load_state_dict({name.removeprefix(_OPTIMIZER): t for name, t in optimizer.items()})
        self._loader.restore(from_mapping(values["loader"], LoaderState))
        self._guard.restore(values["guard"])
        self._step, self._seconds, self._loss = values["step"], values["seconds"], values["loss"]
        self._validation, self._saved = values["validation"], self._step
        self._metrics.truncate_after(self._step)
        self._display.say(f"{self._step}단계부터 이어서 학습합니다.", f"Going on from step {self._step}.")


def _prefixed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{_OPTIMIZER}{name}": tensor for name, tensor in tensors.items()}
