"""What the verbs say on standard error while something takes its time, whoever does it."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from axk1.cli.words import Words

__all__ = ["build_notices"]

_BUILDS = "axk1.native"  # logs a line when a library is compiled


class _Notice(logging.Handler):
    def __init__(self, say: Words) -> None:
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, _record: logging.LogRecord) -> None:
        korean = "계산 커널을 빌드합니다. 이 컴퓨터에서 처음 한 번만, 10초쯤 걸립니다."
        english = "Building the native kernels: some ten seconds, only this once on this machine."
        print(self._say(korean, english), file=sys.stderr, flush=True)


@contextmanager
def build_notices(say: Words) -> Iterator[None]:
    """Within it, the first build of native code is said, so that nobody takes it for a hang."""
    logger, notice = logging.getLogger(_BUILDS), _Notice(say)
    level = logger.level
    logger.addHandler(notice)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(notice)
