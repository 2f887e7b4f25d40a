"""The few operations that everything else is made of, in float32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "linear", "rms_norm", "sigmoid", "softmax", "swiglu"]

Floats = NDArray[np.float32]


def linear(x: Floats, weight: Floats) -> Floats:
    """x W^T for a weight of [outputs, inputs], as files store them."""
    out: Floats = x @ weight.T
    return out


def rms_norm(x: Floats, weight: Floats, eps: float) -> Floats:
    """x / sqrt(mean(x^2) + eps) * weight over the last axis (Zhang and Sennrich 2019)."""
    mean: Floats = np.mean(np.square(x), axis=-1, keepdims=True, dtype=np.float32)
    normed: Floats = x / np.sqrt(mean + np.float32(eps)) * weight
    return normed


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + e^-x); below -80 the value of -80 (2e-35), since e^-x would leave float32."""
    return np.float32(1.0) / (np.float32(1.0) + np.exp(-np.maximum(x, np.float32(-80.0))))


def softmax(x: Floats) -> Floats:
    """Over the last axis; -inf becomes 0."""
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    shares: Floats = weights / weights.sum(axis=-1, keepdims=True)
    return shares


def swiglu(x: Floats, gate_up: Floats, down: Floats) -> Floats:
    """down(silu(gate x) * up x), with the gate's rows above those of up."""
    gate, up = np.split(linear(x, gate_up), 2, axis=-1)
    return linear(gate * sigmoid(gate) * up, down)
