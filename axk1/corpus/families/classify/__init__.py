"""Sentences and messages to be put into classes."""

from axk1.corpus.families.classify.family import FAMILY

__all__ = ["FAMILY"]
