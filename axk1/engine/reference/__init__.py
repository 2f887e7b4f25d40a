"""The reference back end: NumPy in float32, written to be read and compared with, not to be fast."""

from axk1.engine.reference.backend import ReferenceBackend

__all__ = ["ReferenceBackend"]
