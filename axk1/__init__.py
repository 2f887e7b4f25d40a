"""axk1: an open system around the sparse language model A.X K1, from text to answers."""

__all__ = ["__version__"]

__version__ = "0.1.0"
