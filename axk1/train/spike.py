"""Loss-spike guard: says when a step's loss or gradient is far from what the last steps were."""

import math
import statistics
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["DivergenceError", "SpikeConfig", "SpikeGuard", "Verdict"]

# The median absolute deviation times this is the standard deviation of a normal distribution.
_MAD_TO_SIGMA = 1.4826


class DivergenceError(ValueError):
    """Too many steps in a row without a finite loss and gradient; the message says what to change."""


@dataclass(frozen=True)
class SpikeConfig:
    """A value is a spike when it exceeds the running median by `threshold` deviations."""

    window: int = 64  # steps that the median is taken over
    quorum: int = 16  # steps seen before anything is called a spike
    threshold: float = 8.0
    skip: bool = False  # leave a spike's update out, or only report it
    non_finite_limit: int = 10  # non-finite steps in a row that end the run


@dataclass(frozen=True)
class Verdict:
    """What to make of a step. `reason` is one line for people, empty for an ordinary step."""

    kind: Literal["ordinary", "spike", "non-finite"]
    skip: bool
    reason: str = ""


class SpikeGuard:
    """Watches loss and gradient norm by running median and median absolute deviation, which a spike hardly moves.

    Spikes enter the window like any value, so that a lasting change of level is accepted after half a window.
    """

    def __init__(self, config: SpikeConfig) -> None:
        self._config = config
        self._losses: deque[float] = deque(maxlen=config.window)
        self._norms: deque[float] = deque(maxlen=config.window)
        self._non_finite = 0

    def judge(self, loss: float, grad_norm: float) -> Verdict:
        """Judge one step and remember it. Raises DivergenceError after `non_finite_limit` non-finite steps in a row."""
        if not (math.isfinite(loss) and math.isfinite(grad_norm)):
            return self._not_finite(loss, grad_norm)
        self._non_finite = 0
        # The least deviation, as a share of the median, keeps a very even stretch from making every ripple a spike.
        reasons = [
            self._spike("loss", loss, self._losses, 0.01),
            self._spike("gradient norm", grad_norm, self._norms, 0.2),
        ]
        self._losses.append(loss)
        self._norms.append(grad_norm)
        if reason := "; ".join(filter(None, reasons)):
            return Verdict("spike", self._config.skip, reason)
        return Verdict("ordinary", skip=False)

    def state(self) -> dict[str, Any]:
        """JSON-able state for a bit-for-bit resume."""
        return {"losses": list(self._losses), "norms": list(self._norms), "non_finite": self._non_finite}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._losses = deque(state["losses"], maxlen=self._config.window)
        self._norms = deque(state["norms"], maxlen=self._config.window)
        self._non_finite = state["non_finite"]

    def _not_finite(self, loss: float, grad_norm: float) -> Verdict:
        self._non_finite += 1
        reason = f"loss {loss:g}, gradient norm {grad_norm:g}: not finite, step skipped"
        if self._non_finite >= self._config.non_finite_limit:
            raise DivergenceError(
                f"{self._non_finite} steps in a row without a finite loss and gradient (last: loss {loss:g}, gradient "
                f'norm {grad_norm:g}). Lower learning_rate or clip, or try precision = "fp32".'
            )
        return Verdict("non-finite", skip=True, reason=reason)

    def _spike(self, what: str, value: float, past: deque[float], least: float) -> str:
        if len(past) < self._config.quorum:
            return ""
        median = statistics.median(past)
        spread = _MAD_TO_SIGMA * statistics.median(abs(one - median) for one in past)
        deviations = (value - median) / max(spread, least * abs(median), 1e-12)
        return f"{what} {value:.4g}, median {median:.4g}" if deviations > self._config.threshold else ""
