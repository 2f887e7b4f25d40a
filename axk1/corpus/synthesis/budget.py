"""What may be spent: before a request is sent the most that it can take is set aside, so that no limit is passed."""

from dataclasses import dataclass

from axk1.corpus.synthesis.completion import Answer, Request

__all__ = ["Amount", "Budget", "BudgetError", "Price", "Purse"]

_MILLION = 1_000_000
_PLACES = 12  # of money: sums do not depend on their order, and a token of 0.001 a million still counts
_AROUND = 256  # tokens that a chat template may put around the messages


@dataclass(frozen=True)
class Amount:
    """Answered requests, tokens of prompts and answers, and money in the currency of the prices."""

    requests: int = 0
    tokens: int = 0
    money: float = 0.0

    def __add__(self, other: "Amount") -> "Amount":
        money = round(self.money + other.money, _PLACES)
        return Amount(self.requests + other.requests, self.tokens + other.tokens, money)

    def __sub__(self, other: "Amount") -> "Amount":
        money = round(self.money - other.money, _PLACES)
        return Amount(self.requests - other.requests, self.tokens - other.tokens, money)


@dataclass(frozen=True)
class Price:
    """Of a million tokens of prompts and of answers."""

    prompt: float = 0.0
    completion: float = 0.0

    def __post_init__(self) -> None:
        if self.prompt < 0 or self.completion < 0:
            raise ValueError("prices must not be negative")

    def of(self, prompt_tokens: int, completion_tokens: int) -> Amount:
        """One request of so many tokens."""
        money = (self.prompt * prompt_tokens + self.completion * completion_tokens) / _MILLION
        return Amount(1, prompt_tokens + completion_tokens, round(money, _PLACES))

    def paid(self, answer: Answer) -> Amount:
        """What the answer took."""
        return self.of(answer.prompt_tokens, answer.completion_tokens)

    def most(self, request: Request) -> Amount:
        """What the request can take at most: no tokenizer makes more tokens than there are bytes."""
        sent = sum(len(message["content"].encode("utf-8")) for message in request.messages)
        return self.of(sent + _AROUND, request.max_tokens)


@dataclass(frozen=True)
class Budget:
    """Limits over the whole life of a folder, however often it is gone on with; None is no limit."""

    requests: int | None = None
    tokens: int | None = None
    money: float | None = None

    def __post_init__(self) -> None:
        for name in ("requests", "tokens", "money"):
            limit = getattr(self, name)
            if limit is not None and limit < 0:
                raise ValueError(f"budget: {name} must not be negative, found {limit}")


class BudgetError(Exception):
    """A request was not sent; `limit` is the name of what is used up."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"the budget is used up ({limit})")
        self.limit = limit


class Purse:
    """What was spent and what is set aside for requests under way. Not for several threads at once."""

    def __init__(self, budget: Budget, spent: Amount) -> None:
        self.spent, self.aside = spent, Amount()
        self._budget = budget

    def lacking(self, most: Amount) -> str:
        """The first limit that a request which takes so much could pass; "" when there is none."""
        after = self.spent + self.aside + most
        for name in ("requests", "tokens", "money"):
            limit = getattr(self._budget, name)
            if limit is not None and getattr(after, name) > limit:
                return name
        return ""

    def set_aside(self, most: Amount) -> None:
        """Before the request is sent."""
        self.aside += most

    def settle(self, most: Amount, paid: Amount) -> None:
        """After it, answered (paid) or not (Amount())."""
        self.aside -= most
        self.spent += paid
