"""Ctrl-C and SIGTERM ask the loop to end after the step at hand, so that it can save where it stopped."""

import signal
import threading
from types import FrameType
from typing import Self

__all__ = ["StopRequest"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """While entered, the first signal is kept in `received`; a second one acts as it did before."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python lets no other thread set handlers
            self._before = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def end_as_asked(self) -> None:
        """Raise what the signal would have raised: KeyboardInterrupt, or SystemExit for SIGTERM. No signal: return."""
        if self.received == signal.SIGINT:
            raise KeyboardInterrupt
        if self.received is not None:
            raise SystemExit(128 + self.received)

    def _receive(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature is Python's
        self.received = number
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
