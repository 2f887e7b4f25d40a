"""What this machine trains with: the operators for the device, the fused ones where they can be built."""

import torch
from rich.console import Console

from axk1.cli.words import Words
from axk1.model.fused import FusedOperators
from axk1.model.grouped import GroupedOperators
from axk1.model.operators import Operators
from axk1.model.plain import PlainOperators
from axk1.native import NativeUnavailableError
from axk1.train.device import Device, device_for

__all__ = ["operators"]


def operators(wanted: Device, say: Words, console: Console) -> Operators:
    """Those for the device of this setting; on a CPU without a compiler the plain ones, with a line that says why."""
    device = device_for(wanted)
    if device.type != "cpu":
        name = torch.cuda.get_device_name(device)
        console.print(say(f"  {name}에서 학습합니다.", f"  Training on {name}."), markup=False)
        return GroupedOperators()
    try:
        return FusedOperators()
    except NativeUnavailableError as error:
        console.print(
            say(f"느린 기본 연산을 씁니다: {error}", f"Using the slower plain operators: {error}"), markup=False
        )
        return PlainOperators()
