"""Commands in Korean, and the tool calls they ask for."""

from axk1.corpus.families.tools.family import FAMILIES

__all__ = ["FAMILIES"]
