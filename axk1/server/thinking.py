"""The many names of one switch: whether the model reasons, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from axk1.server.calls import Thinking
from axk1.server.errors import bad_request
from axk1.server.settings import ThinkingSettings

__all__ = ["Effort", "of_anthropic", "of_openai"]

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


def of_openai(
    settings: ThinkingSettings, effort: Effort | None, template_kwargs: Mapping[str, object], budget: int | None = None
) -> Thinking:
    """Off when nothing is said, as A.X K1's API has it. `chat_template_kwargs.enable_thinking` and `reasoning_effort`
    must agree; a budget bounds the reasoning and switches it on, 0 switches it off. ApiError."""
    said = template_kwargs.get("enable_thinking")
    if said is not None and not isinstance(said, bool):
        raise bad_request("chat_template_kwargs.enable_thinking must be true or false", "chat_template_kwargs")
    by_effort = None if effort is None else effort not in ("none", "minimal")
    if said is not None and by_effort is not None and said is not by_effort:
        raise bad_request(
            f"reasoning_effort {effort!r} and chat_template_kwargs.enable_thinking {str(said).lower()} disagree: "
            "send one of them",
            "reasoning_effort",
        )
    asked = [one for one in (said, by_effort, None if budget is None else budget > 0) if one is not None]
    if not all(asked) or not asked:
        return Thinking()
    limits = [one for one in (budget, _allowed(settings, effort)) if one]
    return Thinking(enabled=True, budget=min(limits) if limits else None)


def of_anthropic(kind: Literal["enabled", "disabled", "adaptive"], budget: int | None) -> Thinking:
    """Anthropic's `thinking` object."""
    return Thinking() if kind == "disabled" else Thinking(enabled=True, budget=budget)


def _allowed(settings: ThinkingSettings, effort: Effort | None) -> int:
    if effort is None:
        return 0
    return {"low": settings.low, "medium": settings.medium}.get(effort, settings.high)
