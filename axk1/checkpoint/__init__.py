"""A Hugging Face folder without torch: its tensors mapped from disk, and which of them becomes which parameter."""

from axk1.checkpoint.folder import CheckpointFolder
from axk1.checkpoint.names import Piece, Plan, Shape, expected, plan
from axk1.checkpoint.quantization import Grid, Quantization, QuantizationCodec, Scheme
from axk1.checkpoint.tensorfile import CheckpointError, TensorInfo
from axk1.checkpoint.weights import StoredWeight, Weight

__all__ = [
    "CheckpointError",
    "CheckpointFolder",
    "Grid",
    "Piece",
    "Plan",
    "Quantization",
    "QuantizationCodec",
    "Scheme",
    "Shape",
    "StoredWeight",
    "TensorInfo",
    "Weight",
    "expected",
    "plan",
]
