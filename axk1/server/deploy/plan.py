"""Which layouts a cluster allows, what each needs on a GPU, and which is best."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from axk1.arch import ModelConfig
from axk1.server.deploy.hardware import GB, Cluster
from axk1.server.deploy.weights import Layout, WeightType, cache_bytes, weight_bytes

__all__ = ["CacheType", "DoesNotFitError", "Plan", "Prefer", "Wish", "layouts", "plan", "why_not"]

CacheType = Literal["bf16", "fp8"]
Prefer = Literal["latency", "throughput"]

_ENGINE = 3 * GB  # CUDA context, NCCL buffers, captured graphs, allocator waste: a margin, stated and not measured
_STEP_TOKENS = 8192  # tokens that one step of all data parallel ranks reads at most; written into the launch
_LEAST_STEP = 1024  # and of one rank
_CROWD = 32
_KERNEL_TOKENS = 32768  # that the experts' kernels work on at a time
_BLOCK = {"bf16": 1, "fp8": 128, "int4": 64}  # numbers under one scale: a split may not cut them
_ROUND = 1024  # to which a shorter context is rounded down
_WIDEST = 64  # nodes that are looked through for a plan that would fit


@dataclass(frozen=True)
class Wish:
    """What is to be served. `context` 0: the model's own; `sequences` 0: as many as fit at full context."""

    config: ModelConfig
    weights: WeightType = "bf16"
    cache: CacheType = "bf16"
    context: int = 0
    sequences: int = 0
    utilization: float = 0.92  # of a GPU's memory that the engine may take: vLLM's default
    prefer: Prefer = "latency"

    def __post_init__(self) -> None:
        longest = self.config.max_position_embeddings
        if not 0 <= self.context <= longest:
            raise ValueError(f"the context must be from 1 to the model's {longest} tokens, not {self.context}")
        if self.sequences < 0:
            raise ValueError(f"sequences must be at least 1, not {self.sequences}")
        if not 0.1 <= self.utilization <= 0.98:
            raise ValueError(f"utilization must be from 0.1 to 0.98, not {self.utilization}")
        for name, known in (("weights", WeightType), ("cache", CacheType), ("prefer", Prefer)):
            if getattr(self, name) not in get_args(known):
                raise ValueError(f"{name} must be one of {', '.join(get_args(known))}")

    @property
    def tokens(self) -> int:
        """The context in tokens."""
        return self.context or self.config.max_position_embeddings


@dataclass(frozen=True)
class Plan:
    """A layout with its memory on the fullest GPU, in bytes."""

    cluster: Cluster
    wish: Wish
    layout: Layout
    weights: int
    activations: int
    cache_per_token: int

    @property
    def budget(self) -> int:
        """What the engine may take."""
        return math.floor(self.cluster.gpu.memory * self.wish.utilization)

    @property
    def engine(self) -> int:
        """The margin for what is not counted."""
        return _ENGINE

    @property
    def cache_room(self) -> int:
        """What is left for the cache; below 0 when even the weights do not fit."""
        return self.budget - self.weights - self.activations - self.engine

    @property
    def cache_tokens(self) -> int:
        """Tokens that the caches of all data parallel ranks hold."""
        return max(0, self.cache_room // self.cache_per_token) * self.layout.data

    @property
    def sequences(self) -> int:
        """Sequences at once: those asked for, else as many as fit at full context."""
        each = max(0, self.cache_room // self.cache_per_token) // self.wish.tokens
        return self.wish.sequences or each * self.layout.data

    @property
    def most_at_once(self) -> int:
        """Sequences that a data parallel rank takes: those that fit at full context, and for throughput at least
        `_CROWD`, for most are short; the engine makes some wait when the cache is full."""
        each = max(1, math.ceil(self.sequences / self.layout.data))
        return max(each, _CROWD) if self.wish.prefer == "throughput" and not self.wish.sequences else each

    @property
    def cache(self) -> int:
        """Bytes that the sequences need at full context: one at least."""
        each = max(1, math.ceil(self.sequences / self.layout.data))
        return each * self.wish.tokens * self.cache_per_token

    @property
    def needed(self) -> int:
        """All together."""
        return self.weights + self.activations + self.engine + self.cache

    @property
    def fits(self) -> bool:
        """Whether it does."""
        return self.needed <= self.budget

    @property
    def step_tokens(self) -> int:
        """Tokens that one step of a data parallel rank reads at most."""
        return _step(self.layout)


class DoesNotFitError(ValueError):
    """`best` is the plan that comes nearest, None where the numbers do not divide at all; `others` would fit: with less
    cache, on more nodes, with smaller weights, as far as there are such."""

    def __init__(self, reason: str, best: Plan | None, others: tuple[Plan, ...]) -> None:
        super().__init__(reason)
        self.best, self.others = best, others


def plan(cluster: Cluster, wish: Wish, forced: Layout | None = None) -> Plan:
    """The best plan that fits. DoesNotFitError with both numbers; ValueError for a forced layout that divides badly."""
    if forced is not None:
        reason = why_not(cluster, wish, forced)
        if reason:
            raise ValueError(reason)
    found = [measured(cluster, wish, one) for one in ([forced] if forced else layouts(cluster, wish))]
    best = _best(found)
    if best is not None:
        return best
    best = min(found, key=lambda one: one.needed, default=None)
    others = nearest(cluster, wish, best)
    if best is None:
        raise DoesNotFitError(
            f"no layout divides the model over {cluster.nodes} x {cluster.gpus} GPUs: "
            f"{wish.config.num_attention_heads} heads, {wish.config.n_routed_experts} experts",
            None,
            others,
        )
    raise DoesNotFitError(
        f"it needs {best.needed / GB:.1f} GB on a GPU, where {best.budget / GB:.1f} GB may be used", best, others
    )


def measured(cluster: Cluster, wish: Wish, layout: Layout) -> Plan:
    """A layout with its memory."""
    weights = weight_bytes(wish.config, layout, wish.weights)
    activations = 2 * _activations(wish.config, layout)  # bf16
    return Plan(cluster, wish, layout, weights, activations, cache_bytes(wish.config, layout, wish.cache))


def _activations(config: ModelConfig, layout: Layout) -> int:
    """Numbers of a step: the residual stream with projections and their copies; what data parallel ranks gather for
    the experts and give back; what the chosen experts read and write."""
    step, width = _step(layout), config.hidden_size
    gathered = 2 * step * layout.data * width if layout.data > 1 else 0
    inner = -(-config.moe_intermediate_size // (1 if layout.expert else layout.expert_ranks))
    rows = min(step * layout.data, _KERNEL_TOKENS) * config.num_experts_per_tok
    return 16 * step * width + gathered + rows * (width + 3 * inner)


def _step(layout: Layout) -> int:
    return max(_LEAST_STEP, _STEP_TOKENS // layout.data)


def layouts(cluster: Cluster, wish: Wish) -> Iterator[Layout]:
    """All that use every GPU and divide the model."""
    for tensor in range(1, cluster.total + 1):
        if cluster.total % tensor:
            continue
        rest = cluster.total // tensor
        shapes = {(rest, 1), (1, rest)}
        for pipeline, data in sorted(shapes):
            for expert in (False, True):
                layout = Layout(tensor, pipeline, data, expert)
                if not why_not(cluster, wish, layout):
                    yield layout


def why_not(cluster: Cluster, wish: Wish, layout: Layout) -> str:
    """What keeps the layout from working, in a line; "" when nothing does."""
    return next((line for holds, line in _rules(cluster, wish, layout) if not holds), "")


def nearest(cluster: Cluster, wish: Wish, best: Plan | None) -> tuple[Plan, ...]:
    """Plans that fit with as little changed as can be: less cache, more nodes, smaller weights; the first of each."""
    less = [replace(wish, sequences=1), replace(wish, sequences=1, cache="fp8")]
    if best is not None and best.cache_room // best.cache_per_token >= _ROUND:
        shorter = min(wish.tokens, best.cache_room // best.cache_per_token // _ROUND * _ROUND)
        less.insert(1, replace(wish, sequences=1, context=shorter))
    smaller = [replace(wish, weights=one) for one in get_args(WeightType) if _smaller(one, wish.weights)]
    groups: list[list[tuple[Cluster, Wish]]] = [
        [(cluster, one) for one in less],
        [(replace(cluster, nodes=nodes), wish) for nodes in range(cluster.nodes + 1, _WIDEST + 1)],
        [(cluster, one) for one in smaller],
    ]
    found = (next((one for one in map(_fitting, group) if one is not None), None) for group in groups)
    return tuple(one for one in found if one is not None)


def _fitting(change: tuple[Cluster, Wish]) -> Plan | None:
    cluster, wish = change
    return _best([measured(cluster, wish, one) for one in layouts(cluster, wish)])


def _best(found: Sequence[Plan]) -> Plan | None:
    return min((one for one in found if one.fits), key=lambda one: _rank(one, one.wish.prefer), default=None)


def _smaller(one: WeightType, than: WeightType) -> bool:
    order = get_args(WeightType)
    return bool(order.index(one) > order.index(than))


def _rank(one: Plan, prefer: Prefer) -> tuple[float, ...]:
    layout = one.layout
    if prefer == "throughput":
        return (layout.pipeline, not layout.expert, -one.cache_tokens, layout.tensor)
    return (layout.pipeline, layout.data, layout.expert, layout.tensor)


def _rules(cluster: Cluster, wish: Wish, layout: Layout) -> Iterator[tuple[bool, str]]:
    config, tensor, ranks = wish.config, layout.tensor, layout.expert_ranks
    yield layout.gpus == cluster.total, f"it takes {layout.gpus} GPUs, the cluster has {cluster.total}"
    within = tensor <= cluster.gpus and cluster.gpus % tensor == 0
    yield within or tensor % cluster.gpus == 0, f"{tensor} tensor parallel ranks do not fill nodes of {cluster.gpus}"
    yield (
        layout.data == 1 or layout.pipeline == 1,
        "data and pipeline parallelism are not planned together: leave one at 1",
    )
    yield layout.data == 1 or within, "a data parallel rank must lie within a node"
    yield (
        layout.pipeline <= cluster.nodes,
        f"{layout.pipeline} stages on {cluster.nodes} nodes: within a node tensor parallelism is the faster split",
    )
    yield layout.pipeline <= config.num_hidden_layers, f"{layout.pipeline} stages for {config.num_hidden_layers} layers"
    heads = config.num_attention_heads
    yield heads % tensor == 0, f"{heads} heads do not divide by {tensor} tensor parallel ranks"
    block = _BLOCK[wish.weights]
    if layout.expert:
        yield (
            config.n_routed_experts % ranks == 0,
            f"{config.n_routed_experts} experts do not divide by {ranks} expert parallel ranks",
        )
    else:
        yield _splits(config.moe_intermediate_size, ranks, block), _cut("an expert's", config, ranks, block)
    if wish.weights == "fp8":
        yield cluster.gpu.fp8, f"{cluster.gpu.name} has no FP8 matrix units: use bf16 or int4"
        shared = config.n_shared_experts * config.moe_intermediate_size
        yield _splits(shared, tensor, block), _cut("the shared expert's", config, tensor, block)
        yield _splits(config.intermediate_size, tensor, block), _cut("the dense layer's", config, tensor, block)


def _splits(size: int, ranks: int, block: int) -> bool:
    return size % ranks == 0 and (size // ranks) % block == 0


def _cut(whose: str, config: ModelConfig, ranks: int, block: int) -> str:
    size = config.intermediate_size if whose.startswith("the dense") else config.moe_intermediate_size
    return f"{whose} width {size} does not divide by {ranks} ranks into blocks of {block}: use expert parallelism"
