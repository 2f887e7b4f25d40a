"""The names of the sets of kernels."""

from __future__ import annotations

SETS = ("scalar", "neon", "neon-dot", "neon-bf16", "avx2", "avx512")
"""Of each kind of CPU the fastest last."""
