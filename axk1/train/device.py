"""Where a training computes: the CPU, or the accelerator that torch finds."""

from typing import Literal

import torch

__all__ = ["Device", "device_for"]

Device = Literal["auto", "cpu", "cuda"]


def device_for(wanted: Device) -> torch.device:
    """The device for this setting; "auto" is CUDA (or ROCm, which torch calls so too) where there is one.

    ValueError when "cuda" is asked for and torch has none.
    """
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        built = "this torch is built without CUDA" if torch.version.cuda is None else "torch finds no GPU"
        raise ValueError(f'training.device is "cuda", but {built}: set training.device=cpu, or leave it out')
    return torch.device("cuda" if wanted == "cuda" or (wanted == "auto" and there) else "cpu")
