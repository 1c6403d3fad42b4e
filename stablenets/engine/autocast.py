"""Autocast: whether it is on, how it is restored and switched off, and which dtypes may enter."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from stablenets.errors import BadInput


def is_autocast_on(tensor: Tensor) -> bool:
    """Return whether autocast is on for the device of a tensor; some devices have none."""
    device = tensor.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def current_autocast(tensor: Tensor) -> AbstractContextManager:
    """Return a context manager that restores the current autocast of a tensor's device."""
    device = tensor.device.type
    if not torch.amp.is_autocast_available(device):
        return nullcontext()
    return torch.autocast(device, torch.get_autocast_dtype(device), enabled=is_autocast_on(tensor))


def without_autocast(tensor: Tensor) -> AbstractContextManager:
    """Return a context manager that switches autocast off for the device of a tensor."""
    device = tensor.device.type
    if not torch.amp.is_autocast_available(device):
        return nullcontext()
    return torch.autocast(device, enabled=False)


def check_dtype(x: Tensor, dtype: torch.dtype) -> None:
    """Raise `BadInput` unless x has the dtype of the weights, or autocast converts it."""
    if x.dtype != dtype and not is_autocast_on(x):
        raise BadInput(
            f"x {x.dtype}: the weights are {dtype}; use x.to({dtype}), or .double() of the module"
            " for float64"
        )
