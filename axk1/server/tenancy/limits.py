"""The arithmetic of limits: no clock, no database. Rates are buckets that fill evenly; quotas are counts per window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

__all__ = ["NO_LIMITS", "Level", "Limits", "Refusal", "Standing", "headers_of", "windows"]

TOTAL = "total"


@dataclass(frozen=True)
class Limits:
    """What a key, a project or an organisation may use at most; None: no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    at_once: int | None = None  # requests under way
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    tokens_total: int | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not 0 <= value < 1 << 62:
                raise ValueError(f"{name} must be 0 or more, not {value}")


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Level:
    """How much a bucket held at a time (seconds). Negative: more was used than was there."""

    held: float
    at: float

    def filled(self, per_minute: int, now: float) -> Level:
        """The level at `now`: it rises evenly to `per_minute`. A clock that went back adds nothing."""
        rise = max(0.0, now - self.at) * per_minute / 60
        return Level(min(float(per_minute), self.held + rise), max(now, self.at))


@dataclass(frozen=True)
class Refusal:
    """Why a request must wait. `seconds` None: waiting does not help."""

    what: str
    limit: int
    seconds: float | None
    quota: bool = False


@dataclass
class Standing:
    """What a subject has used, beside what it may. Buckets are present for those limits that are set."""

    limits: Limits = Limits()
    buckets: dict[str, Level] = field(default_factory=dict)
    under_way: int = 0
    spent: dict[str, int] = field(default_factory=dict)  # window: tokens

    def refusal(self, tokens: int, now: float) -> Refusal | None:
        """Why a request of at most `tokens` (0: not known) may not begin. Changes nothing but the buckets' time."""
        self._fill(now)
        limits, need = self.limits, max(tokens, 1)
        if limits.at_once is not None and self.under_way >= limits.at_once:
            return Refusal("requests at once", limits.at_once, 1.0)
        return (
            self._rate("requests", limits.requests_per_minute, 1)
            or self._rate("tokens", limits.tokens_per_minute, need)
            or self._quota(need, now)
        )

    def take(self, tokens: int, at: float) -> None:
        """Counts a request in, with its reservation."""
        self.under_way += 1
        self._draw("requests", 1)
        self.add(tokens, at)

    def add(self, tokens: int, at: float) -> None:
        """Counts tokens more, or fewer, for a request that began at `at`."""
        self._draw("tokens", tokens)
        for window in windows(at):
            self.spent[window] = self.spent.get(window, 0) + tokens

    def _fill(self, now: float) -> None:
        for kind, per_minute in _rates(self.limits).items():
            self.buckets[kind] = self.buckets.get(kind, Level(per_minute, now)).filled(per_minute, now)

    def _draw(self, kind: str, amount: int) -> None:
        if kind in self.buckets:
            self.buckets[kind] = replace(self.buckets[kind], held=self.buckets[kind].held - amount)

    def _rate(self, kind: str, per_minute: int | None, need: int) -> Refusal | None:
        if per_minute is None or self.buckets[kind].held >= need:
            return None
        wait = (need - self.buckets[kind].held) * 60 / per_minute if need <= per_minute else None
        return Refusal(f"{kind} per minute", per_minute, wait)

    def _quota(self, need: int, now: float) -> Refusal | None:
        limits = self.limits
        quotas = (
            ("tokens in total", limits.tokens_total, None),
            ("tokens per month", limits.tokens_per_month, _next_month(now) - now),
            ("tokens per day", limits.tokens_per_day, _next_day(now) - now),
        )
        for (what, limit, wait), window in zip(quotas, windows(now), strict=True):
            if limit is not None and self.spent.get(window, 0) + need > limit:
                return Refusal(what, limit, wait if need <= limit else None, quota=True)
        return None


def windows(at: float) -> tuple[str, str, str]:
    """The windows that a time falls in: total, month and day (UTC)."""
    day = datetime.fromtimestamp(at, UTC).date().isoformat()
    return TOTAL, day[:7], day


def headers_of(standings: Sequence[Standing]) -> dict[str, str]:
    """OpenAI's x-ratelimit headers: for requests and for tokens, those of the subject with the least left."""
    headers = {}
    for kind in ("requests", "tokens"):
        rates = [(one.buckets[kind].held, _rates(one.limits)[kind]) for one in standings if kind in one.buckets]
        if rates:
            held, per_minute = min(rates)
            seconds = (per_minute - held) * 60 / per_minute if per_minute else 60.0
            headers[f"x-ratelimit-limit-{kind}"] = str(per_minute)
            headers[f"x-ratelimit-remaining-{kind}"] = str(max(0, int(held)))
            headers[f"x-ratelimit-reset-{kind}"] = f"{seconds:.3f}s"
    return headers


def _rates(limits: Limits) -> dict[str, int]:
    rates = {"requests": limits.requests_per_minute, "tokens": limits.tokens_per_minute}
    return {kind: rate for kind, rate in rates.items() if rate is not None}


def _next_day(now: float) -> float:
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today + timedelta(days=1)).timestamp()


def _next_month(now: float) -> float:
    first = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1).timestamp()
