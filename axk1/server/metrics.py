"""What the server has done, for Prometheus: under vLLM's names where the meaning is the same, so that its dashboards
work, and under our own otherwise."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from axk1.server.access import Outcome
from axk1.server.calls import Usage
from axk1.server.parts import Parts

__all__ = ["Metrics", "router"]

_FIRST = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)  # seconds
_GAP = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_WHOLE = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """The gateway's observer. Labels are models that exist and a few fixed words, so their number is bounded."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        of_model: dict[str, Any] = {"labelnames": ("model_name",), "registry": self.registry}
        self._running = Gauge("vllm:num_requests_running", "Answers under way.", **of_model)
        self._first = Histogram(
            "vllm:time_to_first_token_seconds", "From the request to the first event.", buckets=_FIRST, **of_model
        )
        self._gap = Histogram(
            "vllm:inter_token_latency_seconds", "Between two events of an answer.", buckets=_GAP, **of_model
        )
        self._whole = Histogram(
            "vllm:e2e_request_latency_seconds", "From the request to the end.", buckets=_WHOLE, **of_model
        )
        self._prompt = Counter("vllm:prompt_tokens", "Tokens of prompts.", **of_model)
        self._generated = Counter("vllm:generation_tokens", "Tokens of completions, reasoning included.", **of_model)
        self._reasoning = Counter("axk1_reasoning_tokens", "Tokens of reasoning.", **of_model)
        self._cached = Counter("axk1_cached_tokens", "Tokens of prompts that the cache held.", **of_model)
        self._requests = Counter(
            "axk1_requests", "Requests by how they ended.", ("model_name", "outcome"), registry=self.registry
        )

    def began(self, model: str) -> None:
        """A request was admitted."""
        self._running.labels(model).inc()

    def first(self, model: str, seconds: float) -> None:
        """The first event of an answer."""
        self._first.labels(model).observe(seconds)

    def gap(self, model: str, seconds: float) -> None:
        """A further event, so long after the one before."""
        self._gap.labels(model).observe(seconds)

    def ended(self, model: str, seconds: float, usage: Usage, outcome: Outcome) -> None:
        """The end, whatever way."""
        self._running.labels(model).dec()
        self._whole.labels(model).observe(seconds)
        self._prompt.labels(model).inc(usage.prompt)
        self._generated.labels(model).inc(usage.completion)
        self._reasoning.labels(model).inc(usage.reasoning)
        self._cached.labels(model).inc(usage.cached)
        self._requests.labels(model, outcome).inc()


def router(parts: Parts) -> APIRouter:
    """GET /metrics; like /health it asks for no key, and tells sums by model only."""
    routes = APIRouter(tags=["operations"])

    @routes.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Counters and histograms in Prometheus' text form."""
        observer = parts.gateway.observer
        body = generate_latest(observer.registry) if isinstance(observer, Metrics) else b""
        return Response(body, media_type=CONTENT_TYPE_LATEST)

    return routes
