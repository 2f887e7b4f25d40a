"""AdamW: Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2).

P = the numbers of one parameter, laid flat.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from axk1.model import native
from axk1.train import native_update
from axk1.train.native_update import AdamWStep
from axk1.train.optimizer import PIECE, OptimizerConfig, global_norm, master_of, on_cpu, restore

__all__ = ["AdamW", "update"]


class AdamW:
    """Weight decay on matrices only: norm weights have no reason to shrink."""

    def __init__(self, parameters: Mapping[str, Tensor], config: OptimizerConfig) -> None:
        self._config = config
        self._parameters = dict(parameters)
        self._master = {name: master_of(parameter) for name, parameter in parameters.items()}
        self._exp_avg = {name: torch.zeros_like(master) for name, master in self._master.items()}
        self._exp_avg_sq = {name: torch.zeros_like(master) for name, master in self._master.items()}
        self._step = torch.zeros((), dtype=torch.int64)
        self._update = native_update.update if on_cpu(self._parameters.values()) and native.available() else update

    def grad_norm(self) -> float:
        return global_norm(p.grad for p in self._parameters.values() if p.grad is not None)

    @torch.no_grad()
    def step(self, learning_rate: float, grad_scale: float = 1.0) -> None:
        self._step += 1
        config = self._config
        moments = (config.beta1, config.beta2, config.eps)
        matrices = AdamWStep(learning_rate, *moments, config.weight_decay, int(self._step), grad_scale)
        vectors = replace(matrices, weight_decay=0.0)
        for name, parameter in self._parameters.items():
            if parameter.grad is None:
                continue
            self._update(
                self._master[name].view(-1),
                self._exp_avg[name].view(-1),
                self._exp_avg_sq[name].view(-1),
                parameter.grad.reshape(-1),
                parameter.view(-1),
                matrices if parameter.ndim >= 2 else vectors,
            )

    def zero_grad(self) -> None:
        for parameter in self._parameters.values():
            parameter.grad = None  # autograd then hands over its tensor, where a zeroed one would cost a pass to add to

    def state_dict(self) -> dict[str, Tensor]:
        state = {"step": self._step}
        for name, parameter in self._parameters.items():
            if parameter.dtype != torch.float32:
                state[f"{name}.master"] = self._master[name]
            state[f"{name}.exp_avg"] = self._exp_avg[name]
            state[f"{name}.exp_avg_sq"] = self._exp_avg_sq[name]
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        restore(self.state_dict(), state, "AdamW")


def update(
    master: Tensor, exp_avg: Tensor, exp_avg_sq: Tensor, grad: Tensor, param: Tensor, settings: AdamWStep
) -> None:
    """One AdamW step on flat tensors [P], in place: fp32 `master` and moments, `grad` and `param` of one format.

    `grad` is read only. `param` gets the rounded master, unless it is the master (fp32: the same memory).
    """
    rounds = param.data_ptr() != master.data_ptr()
    piece = PIECE if param.device.type == "cpu" else param.numel()  # elsewhere there is no cache to stay in
    root_correction, step_size = math.sqrt(settings.correction2), settings.lr / settings.correction1
    pieces = (torch.split(tensor, piece) for tensor in (master, exp_avg, exp_avg_sq, grad, param))
    for master_P, average_P, square_P, grad_P, param_P in zip(*pieces, strict=True):
        exact_P = grad_P.float() * settings.grad_scale
        master_P.mul_(1 - settings.lr * settings.weight_decay)
        average_P.lerp_(exact_P, 1 - settings.beta1)
        square_P.mul_(settings.beta2).addcmul_(exact_P, exact_P, value=1 - settings.beta2)
        master_P.addcdiv_(average_P, square_P.sqrt().div_(root_correction).add_(settings.eps), value=-step_size)
        if rounds:
            param_P.copy_(master_P)
