"""Train or validation, by a hash of the text alone: independent of order, of other documents and of the process."""

from hashlib import blake2b
from typing import Literal

__all__ = ["Part", "part_of", "position"]

Part = Literal["train", "validation"]


def part_of(text: str, validation_fraction: float, seed: int) -> Part:
    """The part that the document with this text belongs to; equal texts always share a part.

    `validation_fraction` (0 to 1) is the share of documents, not of bytes.
    """
    return "validation" if position(text, f"split {seed}") < validation_fraction else "train"


def position(text: str, purpose: str) -> float:
    """A number in [0, 1) that is uniform over texts; different purposes are independent of each other."""
    digest = blake2b(text.encode("utf-8"), digest_size=8, person=_person(purpose)).digest()
    return (int.from_bytes(digest, "little") >> 11) / (1 << 53)  # 53 bits: what a float holds exactly, never 1.0


def _person(purpose: str) -> bytes:
    return blake2b(purpose.encode("utf-8"), digest_size=16).digest()
