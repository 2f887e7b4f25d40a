"""The commands that start vLLM and SGLang on each node of a plan. Flags are those of the versions named here."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import dataclass

from axk1.server.deploy.plan import Plan

__all__ = ["SGLANG", "VLLM", "Launch", "sglang_command", "vllm_command"]

VLLM = "0.33.0"
SGLANG = "0.5.23"
VLLM_PORT, SGLANG_PORT = 8000, 30000
_MASTER_PORT, _DATA_PORT, _INIT_PORT = 29501, 29550, 25000
_THINK = {"reasoning_start_str": "<think>", "reasoning_end_str": "</think>"}


@dataclass(frozen=True)
class Launch:
    """What is started. `model` is a folder on every node or a name on the Hugging Face hub; `thinks`: the model answers
    in Hermes tags and <think>, as A.X K1 and the models made here do."""

    plan: Plan
    model: str
    name: str
    thinks: bool


def vllm_command(launch: Launch, ray: bool) -> list[str]:
    """`vllm serve` and its arguments. Without Ray a node has NODE_RANK and HEAD set; the first one listens."""
    plan, layout = launch.plan, launch.plan.layout
    words = ["vllm", "serve", launch.model, "--served-model-name", launch.name]
    words += ["--tensor-parallel-size", str(layout.tensor)]
    if layout.pipeline > 1:
        words += ["--pipeline-parallel-size", str(layout.pipeline)]
    if layout.expert:
        words.append("--enable-expert-parallel")
    if layout.data > 1:
        words += _data_parallel(plan, ray)
    elif ray and plan.cluster.nodes > 1:
        words += ["--distributed-executor-backend", "ray"]
    elif plan.cluster.nodes > 1:
        words += ["--nnodes", str(plan.cluster.nodes), "--node-rank", "$NODE_RANK"]
        words += ["--master-addr", "$HEAD", "--master-port", str(_MASTER_PORT)]
    words += ["--dtype", "bfloat16", "--max-model-len", str(plan.wish.tokens)]
    words += ["--max-num-seqs", str(plan.most_at_once)]  # of each data parallel rank
    words += ["--max-num-batched-tokens", str(plan.step_tokens)]
    words += ["--gpu-memory-utilization", f"{plan.wish.utilization:g}"]
    if plan.wish.cache == "fp8":
        words += ["--kv-cache-dtype", "fp8"]
    if launch.thinks:
        words += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--reasoning-parser", "deepseek_v3"]
        words += ["--reasoning-config", json.dumps(_THINK)]
    return [*words, "--host", "0.0.0.0", "--port", str(VLLM_PORT)]


def sglang_command(launch: Launch) -> list[str]:
    """`sglang.launch_server` and its arguments; data parallelism is that of attention inside one tensor group."""
    plan, layout = launch.plan, launch.plan.layout
    words = ["python3", "-m", "sglang.launch_server", "--model-path", launch.model, "--served-model-name", launch.name]
    words += ["--tp-size", str(layout.expert_ranks)]
    if layout.pipeline > 1:
        words += ["--pp-size", str(layout.pipeline)]
    if layout.data > 1:
        words += ["--attn-dp-size", str(layout.data)]
    if layout.expert:
        words += ["--ep-size", str(layout.expert_ranks)]
    if plan.cluster.nodes > 1:
        words += ["--dist-init-addr", f"$HEAD:{_INIT_PORT}"]
        words += ["--nnodes", str(plan.cluster.nodes), "--node-rank", "$NODE_RANK"]
    words += ["--dtype", "bfloat16", "--context-length", str(plan.wish.tokens)]
    words += ["--max-running-requests", str(plan.most_at_once * layout.data)]  # SGLang divides both by the ranks
    words += ["--chunked-prefill-size", str(plan.step_tokens * layout.data)]
    words += ["--mem-fraction-static", f"{_static_share(plan):g}"]
    if plan.wish.cache == "fp8":
        words += ["--kv-cache-dtype", "fp8_e4m3"]
    if launch.thinks:
        words += ["--tool-call-parser", "hermes", "--reasoning-parser", "deepseek-v3"]
    return [*words, "--host", "0.0.0.0", "--port", str(SGLANG_PORT)]


def shell(words: list[str]) -> str:
    """One command over several lines; only $NODE_RANK and $HEAD are left to the shell."""
    quoted = [_quoted(word) for word in words]
    lines: list[list[str]] = [[]]
    for word in quoted:
        if word.startswith("--"):
            lines.append([])
        lines[-1].append(word)
    return " \\\n  ".join(" ".join(line) for line in lines)


def _quoted(word: str) -> str:
    name, _, port = word.partition(":")
    if name in ("$NODE_RANK", "$HEAD") and (not port or port.isdigit()):
        return f'"{word}"'
    return shlex.quote(word)


def _data_parallel(plan: Plan, ray: bool) -> list[str]:
    layout = plan.layout
    local = plan.cluster.gpus // layout.tensor
    words = ["--data-parallel-size", str(layout.data), "--data-parallel-size-local", str(local)]
    if plan.cluster.nodes == 1:
        return words
    if ray:
        return [*words, "--data-parallel-backend", "ray"]
    return [*words, "--data-parallel-address", "$HEAD", "--data-parallel-rpc-port", str(_DATA_PORT)]


def _static_share(plan: Plan) -> float:
    """SGLang's share for weights and cache: what is left of the budget without activations and the margin."""
    static = plan.budget - plan.activations - plan.engine
    return math.floor(100 * static / plan.cluster.gpu.memory) / 100
