"""A Hugging Face folder without torch: its tensors mapped from disk, and which of them becomes which parameter."""

from axk1.checkpoint.folder import CheckpointFolder
from axk1.checkpoint.names import Piece, Plan, Shape, expected, plan
from axk1.checkpoint.tensorfile import CheckpointError, TensorInfo

__all__ = [
    "CheckpointError",
    "CheckpointFolder",
    "Piece",
    "Plan",
    "Shape",
    "TensorInfo",
    "expected",
    "plan",
]
