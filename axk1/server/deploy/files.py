"""The files of a deployment: scripts, manifests and the gateway's serve.toml, by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Literal

from axk1.server.deploy.kubernetes import manifest
from axk1.server.deploy.launch import SGLANG_PORT, VLLM_PORT, Launch, sglang_command, shell, vllm_command

__all__ = ["On", "files"]

On = Literal["ray", "slurm", "kubernetes"]

_STRICT = "#!/usr/bin/env bash\nset -euo pipefail\n"


def files(launch: Launch, on: On, head: str) -> dict[str, str]:
    """Names with "/" and their text. `head` is the first node's address, where it must be known beforehand."""
    writers: Mapping[On, Callable[[Launch, str], dict[str, str]]] = {
        "ray": _ray,
        "slurm": _slurm,
        "kubernetes": _kubernetes,
    }
    made = writers[on](launch, head)
    at = "axk1-vllm" if on == "kubernetes" else head
    made["vllm/serve.toml"] = _gateway(launch, f"http://{at}:{VLLM_PORT}/v1", "vllm")
    at = "axk1-sglang" if on == "kubernetes" else head
    made["sglang/serve.toml"] = _gateway(launch, f"http://{at}:{SGLANG_PORT}/v1", "sglang")
    return made


def _ray(launch: Launch, head: str) -> dict[str, str]:
    """vLLM through Ray; SGLang has its own start on each node."""
    nodes = launch.plan.cluster.nodes
    made = {"sglang/node.sh": _by_hand(launch, head, sglang_command(launch))}
    if nodes == 1:
        return made | {"vllm/head.sh": f"{_STRICT}exec {shell(vllm_command(launch, ray=True))}\n"}
    gpus = launch.plan.cluster.gpus
    made["vllm/head.sh"] = (
        f"{_STRICT}# On the first node. Starts Ray, waits for the others, then serves.\n"
        f"ray start --head --port=6379 --num-gpus={gpus}\n"
        "# shellcheck disable=SC2016\n"
        f'until [ "$(python3 -c \'import ray; ray.init(address="auto", log_to_driver=False); '
        f'print(len([n for n in ray.nodes() if n["Alive"]]))\' 2>/dev/null)" = {nodes} ]; do\n'
        f'  echo "waiting for {nodes} nodes"\n  sleep 5\ndone\n'
        f"exec {shell(vllm_command(launch, ray=True))}\n"
    )
    made["vllm/worker.sh"] = (
        f"{_STRICT}# On every other node.\nexec ray start --address={head}:6379 --num-gpus={gpus} --block\n"
    )
    return made


def _by_hand(launch: Launch, head: str, words: list[str]) -> str:
    if launch.plan.cluster.nodes == 1:
        return f"{_STRICT}exec {shell(words)}\n"
    last = launch.plan.cluster.nodes - 1
    return (
        f"{_STRICT}# On every node, with its number: 0 on {head}, then 1 to {last}.\n"
        f'export NODE_RANK="${{1:?which node is this, from 0 to {last}}}"\n'
        f"export HEAD={head}\nexec {shell(words)}\n"
    )


def _slurm(launch: Launch, head: str) -> dict[str, str]:  # noqa: ARG001  (the job finds its own first node)
    return {
        "vllm/job.sbatch": _job(launch, "vllm", _vllm_on_node(launch)),
        "sglang/job.sbatch": _job(launch, "sglang", f"exec {shell(sglang_command(launch))}"),
    }


def _job(launch: Launch, engine: str, command: str) -> str:
    cluster = launch.plan.cluster
    return (
        "#!/usr/bin/env bash\n"
        f"#SBATCH --job-name=axk1-{engine}\n"
        f"#SBATCH --nodes={cluster.nodes}\n"
        "#SBATCH --ntasks-per-node=1\n"
        f"#SBATCH --gres=gpu:{cluster.gpus}\n"
        "#SBATCH --exclusive\n"
        f"#SBATCH --output=axk1-{engine}-%j.log\n"
        "set -euo pipefail\n"
        'HEAD=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)\n'
        "export HEAD\n"
        "# One task a node, numbered by SLURM_NODEID; when one ends, all end.\n"
        "# shellcheck disable=SC2016\n"
        "srun --kill-on-bad-exit=1 bash -c '\n"
        "set -euo pipefail\n"
        "export NODE_RANK=$SLURM_NODEID\n" + command.replace("'", "'\\''") + "\n'\n"
    )


def _vllm_on_node(launch: Launch) -> str:
    """The first node listens, the others only compute."""
    words = shell(vllm_command(launch, ray=False))
    if launch.plan.cluster.nodes == 1:
        return f"exec {words}"
    layout = launch.plan.layout
    others = "--headless"
    if layout.data > 1:
        others += f' --data-parallel-start-rank "$((NODE_RANK * {launch.plan.cluster.gpus // layout.tensor}))"'
    return f'set --\nif [ "$NODE_RANK" != 0 ]; then set -- {others}; fi\nexec {words} "$@"'


def _kubernetes(launch: Launch, head: str) -> dict[str, str]:  # noqa: ARG001  (pods have names of their own)
    return {
        "vllm/manifest.yaml": manifest(launch, "vllm", _vllm_on_node(launch), VLLM_PORT),
        "sglang/manifest.yaml": manifest(launch, "sglang", f"exec {shell(sglang_command(launch))}", SGLANG_PORT),
    }


def _gateway(launch: Launch, url: str, kind: str) -> str:
    """Settings for `axk1 serve`; JSON strings are TOML strings."""
    lines = ["[[upstreams]]", f"url = {json.dumps(url)}", f"name = {json.dumps(launch.name, ensure_ascii=False)}"]
    lines += [f'kind = "{kind}"', f"context = {launch.plan.wish.tokens}"]
    if kind == "vllm" and launch.thinks:
        lines.append('allow = ["thinking_budget"]  # the launch has --reasoning-config')
    return "\n".join(lines) + "\n"
