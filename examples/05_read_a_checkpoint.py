"""Look into a checkpoint folder without torch: config, tensors, and which tensor becomes which parameter.

Run: python examples/05_read_a_checkpoint.py [FOLDER]
"""

import sys
from pathlib import Path

import numpy as np

from axk1.arch import facts
from axk1.checkpoint import CheckpointError, CheckpointFolder, plan

folder = CheckpointFolder(Path(*sys.argv[1:] or ["runs/tour/model"]))
figures = facts(folder.config, folder.path.name)
stored = sum(info.nbytes for info in folder.tensors.values())
print(f"{figures.model_type}: {figures.parameters:,} parameters, {len(folder.tensors)} tensors of {stored:,} bytes")

# Opening read the headers only. The bytes of a tensor are mapped from disk when asked for; bfloat16 is the upper half
# of a float32.
name = "model.embed_tokens.weight"
info = folder.tensors[name]
print(info.name, list(info.shape), info.dtype, "at byte", info.offset)
upper = np.frombuffer(folder.raw(name), np.uint16).astype(np.uint32)
embedding = (upper << 16).view(np.float32).reshape(info.shape)
print(f"mean {embedding.mean():.4f}, standard deviation {embedding.std():.4f}")

# Every tensor is used once, dropped for a reason that is named, or an error.
shapes = {name: info.shape for name, info in folder.tensors.items()}
mapping = plan(folder.config, shapes)
fused = "model.layers.1.mlp.experts.gate_up_proj"
print(f"{fused} comes from {len(mapping.sources[fused])} tensors, the first {mapping.sources[fused][0].tensor}")
for name, reason in mapping.dropped.items():
    print(f"{name} is dropped: {reason}")
try:
    plan(folder.config, {name: shape for name, shape in shapes.items() if name != "model.norm.weight"})
except CheckpointError as error:
    print("refused:", error)

assert "torch" not in sys.modules
