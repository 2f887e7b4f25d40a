"""What `axk1 deploy` tells: the memory table, the README of a deployment, why something does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from axk1.cli.words import Words
from axk1.server.deploy.files import On
from axk1.server.deploy.launch import SGLANG, VLLM, Launch
from axk1.server.deploy.plan import DoesNotFitError, Plan

__all__ = ["figures", "readme", "refusal", "table"]

_GB = 1e9


def figures(plan: Plan) -> dict[str, Any]:
    """Everything about a plan, JSON-able; bytes are of the fullest GPU."""
    layout, wish = plan.layout, plan.wish
    return {
        "nodes": plan.cluster.nodes,
        "gpus_per_node": plan.cluster.gpus,
        "gpu": plan.cluster.gpu.name,
        "gpu_memory_bytes": plan.cluster.gpu.memory,
        "tensor_parallel": layout.tensor,
        "pipeline_parallel": layout.pipeline,
        "data_parallel": layout.data,
        "expert_parallel": layout.expert_ranks if layout.expert else 1,
        "weights": wish.weights,
        "cache": wish.cache,
        "context": wish.tokens,
        "sequences_at_full_context": plan.sequences,
        "most_at_once_per_rank": plan.most_at_once,
        "utilization": wish.utilization,
        "budget_bytes": plan.budget,
        "weight_bytes": plan.weights,
        "activation_bytes": plan.activations,
        "engine_bytes": plan.engine,
        "cache_bytes": plan.cache,
        "cache_bytes_per_token": plan.cache_per_token,
        "cache_tokens": plan.cache_tokens,
        "needed_bytes": plan.needed,
        "spare_bytes": plan.budget - plan.needed,
    }


def table(plan: Plan, name: str, say: Words) -> Table:
    """The memory of the fullest GPU."""
    made = Table(title=f"{name}: {_where(plan, say)}", show_header=False, title_justify="left")
    made.add_column()
    made.add_column(justify="right")
    for label, value in _rows(plan, say):
        made.add_row(label, value)
    return made


def refusal(error: DoesNotFitError, model: str, say: Words) -> str:
    """One line: both numbers, then what would fit."""
    best = error.best
    if best is None:
        reason = say(f"{model}: 이 GPU 수로는 모델을 나눌 수 없습니다", f"{model} does not fit: {error}")
    else:
        needed, budget = _gb(best.needed), _gb(best.budget)
        reason = say(
            f"{model}: GPU마다 {needed}가 필요한데 쓸 수 있는 것은 {budget}입니다",
            f"{model} does not fit: it needs {needed} on a GPU, where {budget} may be used",
        )
    if not error.others:
        return reason + say(". 들어가는 계획을 찾지 못했습니다.", "; no plan that would fit was found")
    options = say(" 또는 ", ", or ").join(_option(one, best, say) for one in error.others)
    return reason + say(f". 들어가는 계획: {options}", f"; what would fit: {options}")


def readme(launch: Launch, on: On, names: Sequence[str], say: Words) -> str:
    """How to start it, and the arithmetic."""
    plan = launch.plan
    rows = "\n".join(f"| {label.strip()} | {value} |" for label, value in _rows(plan, say))
    head = say("| GPU 한 개 (가장 많이 쓰는 것) | |", "| the fullest GPU | |")
    listed = "\n".join(f"- `{name}`" for name in names)
    parts = [f"# {launch.name}: {_where(plan, say)}", f"{head}\n|---|---:|\n{rows}", _margins(plan, say)]
    parts += [say("## 실행", "## Start"), _steps(on, plan, say), listed, say("## 확인한 판", "## Versions")]
    return "\n\n".join([*parts, _versions(launch, say)]) + "\n"


def _where(plan: Plan, say: Words) -> str:
    cluster, layout = plan.cluster, plan.layout
    sizes = [f"TP{layout.tensor}"]
    sizes += [f"PP{layout.pipeline}"] if layout.pipeline > 1 else []
    sizes += [f"DP{layout.data}"] if layout.data > 1 else []
    sizes += [f"EP{layout.expert_ranks}"] if layout.expert else []
    machines = say(f"서버 {cluster.nodes}대", f"{cluster.nodes} node{'s' if cluster.nodes > 1 else ''}")
    return f"{machines} × {cluster.gpus} {cluster.gpu.name}, {' '.join(sizes)}"


def _rows(plan: Plan, say: Words) -> list[tuple[str, str]]:
    wish = plan.wish
    share = f"{wish.utilization:.0%}"
    return [
        (say("메모리", "memory"), _gb(plan.cluster.gpu.memory)),
        (say(f"쓸 수 있는 것 ({share})", f"may be used ({share})"), _gb(plan.budget)),
        (say(f"  가중치 ({wish.weights})", f"  weights ({wish.weights})"), _gb(plan.weights)),
        (say("  중간값", "  activations"), _gb(plan.activations)),
        (say("  엔진 여유", "  engine, a margin"), _gb(plan.engine)),
        (
            say(f"  캐시 ({wish.cache})", f"  cache ({wish.cache})") + f", {plan.cache_per_token:,} B/token",
            _gb(plan.cache),
        ),
        (say("필요한 것", "needed"), _gb(plan.needed)),
        (say("남는 것", "spare"), _gb(plan.budget - plan.needed)),
        (say("문맥 (토큰)", "context, tokens"), f"{wish.tokens:,}"),
        (say("가득 찬 문맥으로 동시에", "at once at full context"), f"{plan.sequences:,}"),
        (say("캐시에 들어가는 토큰 (전체)", "tokens that all caches hold"), f"{plan.cache_tokens:,}"),
    ]


def _option(plan: Plan, best: Plan | None, say: Words) -> str:
    """A plan by what is other than what was asked."""
    words = [_where(plan, say), plan.wish.weights]
    if best is None or plan.wish.cache != best.wish.cache:
        words.append(say(f"캐시 {plan.wish.cache}", f"{plan.wish.cache} cache"))
    words.append(
        say(f"문맥 {plan.wish.tokens:,} × {plan.sequences}", f"{plan.sequences} x {plan.wish.tokens:,} tokens")
    )
    return "[" + ", ".join(words) + "]"


def _margins(plan: Plan, say: Words) -> str:
    step = f"{plan.step_tokens:,}"
    return say(
        "GB는 10억 바이트입니다. 잠재 캐시는 텐서 병렬로 나뉘지 않아 GPU마다 모두 있습니다. "
        f"중간값은 한 번에 {step}토큰을 읽을 때의 어림이고, 엔진 여유는 재지 않고 정한 값입니다. "
        "GPU 메모리는 이름에 적힌 크기로 셉니다. 드라이버가 보여 주는 크기로 세려면 `--gpu-memory`를 주세요.",
        "A GB is 10^9 bytes. Tensor parallelism does not divide the latent cache: each GPU holds all of it. "
        f"Activations are an estimate for steps of {step} tokens, the engine's margin is set and not measured. "
        "A GPU counts with the memory that its name says; `--gpu-memory` counts with what the driver shows.",
    )


def _steps(on: On, plan: Plan, say: Words) -> str:
    if on == "slurm":
        first = say("`sbatch vllm/job.sbatch` 또는 `sbatch sglang/job.sbatch`.", "`sbatch` one of the two jobs.")
    elif on == "kubernetes":
        first = say(
            "`kubectl apply -f vllm/manifest.yaml` (또는 `sglang/`). 여러 서버가 함께 쓸 수 있는 "
            "PersistentVolumeClaim `models`가 먼저 있어야 합니다.",
            "`kubectl apply -f vllm/manifest.yaml`, or that of `sglang/`. It needs a PersistentVolumeClaim `models` "
            "that many nodes may mount.",
        )
    elif plan.cluster.nodes == 1:
        first = say("`vllm/head.sh` 또는 `sglang/node.sh`.", "`vllm/head.sh`, or `sglang/node.sh`.")
    else:
        first = say(
            "vLLM: 첫 서버에서 `vllm/head.sh`, 나머지에서 `vllm/worker.sh`. SGLang: 서버마다 `sglang/node.sh 번호`.",
            "vLLM: `vllm/head.sh` on the first node, `vllm/worker.sh` on the others. "
            "SGLang: `sglang/node.sh NUMBER` on each.",
        )
    return first + "\n" + _then(say)


def _then(say: Words) -> str:
    return say(
        "그다음 앞단을 띄웁니다: `axk1 serve vllm/serve.toml`.",
        "Then the gateway before it: `axk1 serve vllm/serve.toml`.",
    )


def _versions(launch: Launch, say: Words) -> str:
    made = say(
        f"명령의 옵션은 vLLM {VLLM}과 SGLang {SGLANG}의 소스에서 확인했습니다. GPU에서 실행해 보지는 않았습니다.",
        f"Options were checked against the sources of vLLM {VLLM} and SGLang {SGLANG}. Nothing was run on such GPUs.",
    )
    if launch.thinks:
        made += say(
            f" A.X K1 구조는 vLLM {VLLM}에 들어 있고, SGLang {SGLANG}에는 없어 SKT의 포크가 필요합니다.",
            f" vLLM {VLLM} has the architecture of A.X K1; SGLang {SGLANG} has not: use SKT's fork of it.",
        )
    return made


def _gb(size: int) -> str:
    return f"{size / _GB:,.1f} GB"
