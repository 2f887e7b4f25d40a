"""Muon: momentum, orthogonalised before the step (Jordan et al. 2024, kellerjordan.github.io/posts/muon).

Which parameters: every matrix inside the layers, each expert's gate, up and down matrix by itself. The embedding, the
output head, the router gate and the norms go to AdamW: their rows or entries are not one linear map.

Update scale: 0.2 * sqrt(max(rows, columns)) (Liu et al. 2025, arXiv 2502.16982, section 2.2), which gives an
orthogonal update the root mean square that AdamW's has, so that one learning rate and weight decay serve both.

B matrices of one shape, M x N = that shape.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from axk1.train import native_update
from axk1.train.adamw import AdamW
from axk1.train.native_update import MuonStack, MuonStep
from axk1.train.optimizer import OptimizerConfig, global_norm, master_of, restore

__all__ = ["Muon", "advance", "orthogonalize", "stack_shape", "takes_muon"]

# The quintic of Jordan et al.: steep at 0, so that five steps lift singular values from 1e-3 to about 1 (0.7 .. 1.2).
QUINTIC = (3.4445, -4.7750, 2.0315)


class Muon:
    """Nesterov momentum in fp32, orthogonalised in the parameter's format; AdamW for the rest."""

    def __init__(self, parameters: Mapping[str, Tensor], config: OptimizerConfig) -> None:
        self._config = config
        self._parameters = dict(parameters)
        self._matrices = {name: p for name, p in parameters.items() if takes_muon(name, p)}
        self._rest = AdamW({name: p for name, p in parameters.items() if name not in self._matrices}, config)
        self._master = {name: master_of(p) for name, p in self._matrices.items()}
        self._momentum = {name: torch.zeros_like(master) for name, master in self._master.items()}

    def grad_norm(self) -> float:
        return global_norm(p.grad for p in self._parameters.values() if p.grad is not None)

    @torch.no_grad()
    def step(self, learning_rate: float, grad_scale: float = 1.0) -> None:
        self._rest.step(learning_rate, grad_scale)
        config = self._config
        decay = 1 - learning_rate * config.weight_decay
        shared = MuonStep(config.momentum, grad_scale, decay, (QUINTIC,) * config.newton_schulz_steps)
        stacks = [self._stack(name, learning_rate) for name, p in self._matrices.items() if p.grad is not None]
        if fused := [one for one in stacks if native_update.takes(one)]:
            native_update.muon(fused, shared)
        for one in stacks:
            if not native_update.takes(one):
                advance(one, shared)

    def _stack(self, name: str, learning_rate: float) -> MuonStack:
        parameter = self._matrices[name]
        assert parameter.grad is not None
        shape = stack_shape(name, parameter)
        rate = learning_rate * 0.2 * math.sqrt(max(shape[1:]))
        grad = parameter.grad.contiguous()
        return MuonStack(grad, self._momentum[name], self._master[name], parameter.detach(), shape, rate)

    def zero_grad(self) -> None:
        for parameter in self._parameters.values():
            parameter.grad = None

    def state_dict(self) -> dict[str, Tensor]:
        state = {f"adamw.{name}": tensor for name, tensor in self._rest.state_dict().items()}
        for name, parameter in self._matrices.items():
            if parameter.dtype != torch.float32:
                state[f"{name}.master"] = self._master[name]
            state[f"{name}.momentum"] = self._momentum[name]
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        restore(self.state_dict(), state, "Muon")


def advance(stack: MuonStack, step: MuonStep) -> None:
    """One step of the matrices of one stack in plain torch, in place: what the C kernel does in one pass."""
    exact = stack.grad.float() * step.grad_scale
    stack.momentum.lerp_(exact, 1 - step.momentum)
    direction = exact.lerp_(stack.momentum, step.momentum).to(stack.parameter.dtype)  # Nesterov's look-ahead
    update = orthogonalize(direction.view(stack.shape), step.polynomials)
    stack.master.mul_(step.decay).add_(update.reshape(stack.master.shape), alpha=-stack.rate)
    if stack.parameter.dtype != torch.float32:
        stack.parameter.copy_(stack.master)


def takes_muon(name: str, parameter: Tensor) -> bool:
    """Whether this parameter is a matrix (or a stack of them) inside the layers."""
    apart = ("embed_tokens.weight", "lm_head.weight", ".mlp.gate.weight")
    return parameter.ndim >= 2 and not name.endswith(apart)


def stack_shape(name: str, parameter: Tensor) -> tuple[int, int, int]:
    """[B, M, N]: how many linear maps of which size. The fused gate_up_proj [E, 2F, D] holds two maps per expert."""
    *stacked, rows, cols = parameter.shape
    parts = 2 if name.endswith("gate_up_proj") else 1
    return math.prod(stacked) * parts, rows // parts, cols


def orthogonalize(x_BMN: Tensor, polynomials: Sequence[tuple[float, float, float]]) -> Tensor:
    """Each matrix with its singular values moved towards 1, the singular vectors kept: nearly U V^T of its SVD.

    Newton-Schulz, one iteration a polynomial: X <- aX + b(XX^T)X + c(XX^T)^2 X, after dividing by the Frobenius norm;
    in the format of `x_BMN`.
    """
    wide = x_BMN.shape[-2] <= x_BMN.shape[-1]
    x = (x_BMN if wide else x_BMN.mT).contiguous()  # the Gram matrix of the shorter side is the smaller one
    x = x / torch.linalg.vector_norm(x.float(), dim=(-2, -1), keepdim=True).clamp(min=1e-30).to(x.dtype)
    for a, b, c in polynomials:
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide else x.mT
