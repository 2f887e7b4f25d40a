"""The architecture in torch: latent attention, sparse feed-forward, blocks, multi-token prediction, generation."""

from axk1.model.generate import Generator, Sampling
from axk1.model.operators import Operators
from axk1.model.plain import PlainOperators
from axk1.model.transformer import Losses, Transformer

__all__ = ["Generator", "Losses", "Operators", "PlainOperators", "Sampling", "Transformer"]
