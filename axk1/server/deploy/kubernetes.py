"""A StatefulSet with a pod on each node, as YAML that people can read."""

from __future__ import annotations

import json
from typing import Any

from axk1.server.deploy.launch import SGLANG, VLLM, Launch

__all__ = ["manifest"]

_IMAGES = {
    ("vllm", "nvidia"): f"vllm/vllm-openai:v{VLLM}",
    ("vllm", "amd"): f"vllm/vllm-openai-rocm:v{VLLM}",
    ("sglang", "nvidia"): f"lmsysorg/sglang:v{SGLANG}",
    ("sglang", "amd"): f"lmsysorg/sglang:v{SGLANG}-rocm700-mi30x",
}
_RESOURCES = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu"}


def manifest(launch: Launch, engine: str, command: str, port: int) -> str:
    """Two services and a StatefulSet, as a stream of YAML documents."""
    name = f"axk1-{engine}"
    pods = {"name": f"{name}-pods", "labels": {"app": name}}
    inner = {  # a name for each pod, also before it is ready: the ranks have to find each other
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": pods,
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {"app": name},
            "ports": [{"name": "http", "port": port}],
        },
    }
    outer = {  # only the first pod listens
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "selector": {"statefulset.kubernetes.io/pod-name": f"{name}-0"},
            "ports": [{"name": "http", "port": port, "targetPort": port}],
        },
    }
    workload = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "serviceName": f"{name}-pods",
            "replicas": launch.plan.cluster.nodes,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": _pod(launch, engine, command, port)},
        },
    }
    return "".join(f"---\n{_yaml(one)}" for one in (inner, outer, workload))


def _pod(launch: Launch, engine: str, command: str, port: int) -> dict[str, Any]:
    name, cluster = f"axk1-{engine}", launch.plan.cluster
    script = f'set -euo pipefail\nexport NODE_RANK="${{HOSTNAME##*-}}"\nexport HEAD={name}-0.{name}-pods\n{command}\n'
    ready = f'[ "${{HOSTNAME##*-}}" != 0 ] || curl -fsS http://127.0.0.1:{port}/health'
    container = {
        "name": engine,
        "image": _IMAGES[engine, cluster.gpu.maker],
        "command": ["bash", "-c", script],
        "ports": [{"name": "http", "containerPort": port}],
        "env": [{"name": "HF_HOME", "value": "/models"}],
        "resources": {"limits": {_RESOURCES[cluster.gpu.maker]: str(cluster.gpus)}},
        "readinessProbe": {
            "exec": {"command": ["bash", "-c", ready]},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "volumeMounts": [{"name": "models", "mountPath": "/models"}, {"name": "shm", "mountPath": "/dev/shm"}],
    }
    apart = {"labelSelector": {"matchLabels": {"app": name}}, "topologyKey": "kubernetes.io/hostname"}
    return {
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}},
        "containers": [container],
        "volumes": [
            {"name": "models", "persistentVolumeClaim": {"claimName": "models"}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "64Gi"}},
        ],
    }


def _yaml(value: object, indent: str = "") -> str:
    """Block style. Strings are quoted as JSON, which YAML reads, or stand as a block of lines."""
    if isinstance(value, dict):
        return "".join(f"{indent}{key}:{_under(one, indent)}" for key, one in value.items())
    if isinstance(value, list):
        items = (
            _yaml(one, indent + "  ") if isinstance(one, dict | list) else f"{indent}  {_scalar(one, indent)}\n"
            for one in value
        )
        return "".join(f"{indent}- {one[len(indent) + 2 :]}" for one in items)
    raise AssertionError(value)


def _under(value: object, indent: str) -> str:
    if isinstance(value, dict):
        return "\n" + _yaml(value, indent + "  ")
    return "\n" + _yaml(value, indent) if isinstance(value, list) else f" {_scalar(value, indent)}\n"


def _scalar(value: object, indent: str) -> str:
    if isinstance(value, str) and "\n" in value:
        return "|\n" + "".join(f"{indent}    {line}\n" for line in value.rstrip("\n").split("\n")).rstrip("\n")
    return json.dumps(value, ensure_ascii=False)
