"""When an upstream is asked, and when it is left alone: a circuit breaker, and rests that it asked for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Circuit"]

_FAILURES = 3  # in a row, until it is left alone
_FIRST_REST, _LONGEST_REST = 2.0, 60.0  # seconds; doubled with every probe that fails


@dataclass
class Circuit:
    """Closed: asked freely. Open after failures in a row: not asked for a while. Then half open: one request probes it,
    and its outcome closes or opens again. Times are seconds of a clock that the caller reads."""

    failures: int = 0
    rest: float = _FIRST_REST
    open_until: float = 0.0
    busy_until: float = 0.0  # it said 429 or 503 with a time
    probing: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it has failed too often and not answered since."""
        return self.failures >= _FAILURES

    def allows(self, now: float) -> bool:
        """Whether a request may go there."""
        if now < self.busy_until:
            return False
        return not self.is_open or (now >= self.open_until and not self.probing)

    def wait(self, now: float) -> float:
        """Seconds until it may be asked again, at least."""
        return max(self.busy_until - now, self.open_until - now if self.is_open else 0.0, 0.0)

    def begin(self) -> None:
        """A request goes there: while half open it is the probe."""
        self.probing = self.is_open

    def succeed(self) -> None:
        """It has answered."""
        self.failures, self.rest, self.probing = 0, _FIRST_REST, False

    def fail(self, now: float) -> None:
        """It has not."""
        again = self.is_open
        self.failures += 1
        if self.is_open:
            self.rest = min(self.rest * 2, _LONGEST_REST) if again and self.probing else self.rest
            self.open_until = now + self.rest
        self.probing = False

    def busy(self, now: float, seconds: float) -> None:
        """It works, but wants to be left alone."""
        self.busy_until = max(self.busy_until, now + seconds)
        self.probing = False

    def drop(self) -> None:
        """The request ended without telling anything about the upstream."""
        self.probing = False
