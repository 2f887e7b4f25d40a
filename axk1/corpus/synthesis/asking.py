"""An answer from disk, or from the model and paid for: never twice for one request."""

import threading

from axk1.corpus.synthesis.answers import Answers
from axk1.corpus.synthesis.budget import Amount, Budget, BudgetError, Price, Purse
from axk1.corpus.synthesis.completion import Answer, Complete, Request

__all__ = ["Asker"]


class Asker:
    """Asks for many threads at once within one budget. `stop`, once set, lets no further request go out."""

    def __init__(self, answers: Answers, budget: Budget, stop: threading.Event) -> None:
        self._answers = answers
        self._purse = Purse(budget, answers.spent)
        self._stop = stop
        self._changed = threading.Condition()
        self._under_way: set[str] = set()
        self._over = ""  # the limit that was reached

    @property
    def spent(self) -> Amount:
        """By all answers of the folder, those of earlier runs too."""
        return self._purse.spent

    def ask(self, request: Request, complete: Complete, price: Price) -> Answer:
        """The answer. Raises BudgetError; EndpointError, which leaves nothing behind: the same may be asked again."""
        key, most = request.key, price.most(request)
        with self._changed:
            self._changed.wait_for(lambda: key not in self._under_way)
            if known := self._answers.get(key):
                return known
            self._set_aside(most)
            self._under_way.add(key)
        paid = Amount()
        try:
            answer = complete(request)
            paid = price.paid(answer)
            with self._changed:
                self._answers.add(key, answer, paid.money)
        finally:
            with self._changed:
                self._purse.settle(most, paid)
                self._under_way.discard(key)
                self._changed.notify_all()
        return answer

    def _set_aside(self, most: Amount) -> None:
        """Requests under way may take less than was set aside for them: while there are any, their end is awaited.

        Where one was too much, smaller ones do not go out either: a budget's end is no choice of short prompts.
        """
        while not self._over and (limit := self._purse.lacking(most)):
            if not self._purse.aside.requests:
                self._over = limit
            else:
                self._changed.wait()
        if self._over or self._stop.is_set():
            raise BudgetError(self._over or "stopped")
        self._purse.set_aside(most)
