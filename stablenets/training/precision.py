"""What the option `precision` changes in a forward pass."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

from stablenets.engine import native
from stablenets.engine.norms import native_passes

MIXED = ("bfloat16", "bfloat16_fused")


@contextlib.contextmanager
def precision_context(precision: str, device: torch.device) -> Iterator[None]:
    """The context in which a forward pass runs.

    bfloat16 uses autocast; bfloat16_fused also computes norm and activation in one pass. For
    float32 and float64 the weights and data have that dtype, and the context does nothing.

    Args:
        precision: One of float32, float64, bfloat16, bfloat16_fused.
        device: The device of the network.
    """
    with contextlib.ExitStack() as stack:
        if precision in MIXED:
            stack.enter_context(torch.autocast(device.type, torch.bfloat16))
        if precision == "bfloat16_fused":
            stack.enter_context(native_passes())
        yield


def with_memory_format(x: Tensor, precision: str) -> Tensor:
    """The input; for bfloat16_fused, images are in the channels-last format, which is faster."""
    if precision == "bfloat16_fused" and x.dim() == 4:
        return x.contiguous(memory_format=torch.channels_last)
    return x


def precision_warning(precision: str, device: torch.device) -> str:
    """A warning if this machine runs `precision` slowly or by other code; '' otherwise."""
    if precision in MIXED and device.type == "cpu" and not has_bfloat16():
        return (
            f"precision={precision}: this processor has no bfloat16 and emulates it, which "
            "takes several times as long as precision=float32"
        )
    if precision == "bfloat16_fused" and device.type == "cpu" and not native.is_available():
        return (
            f"precision={precision}: no C++ compiler found (g++, or $CXX) for the fused passes;"
            " torch computes norms and activations, as with precision=bfloat16"
        )
    return ""


def has_bfloat16() -> bool:
    """Whether oneDNN multiplies bfloat16 matrices on this processor; True if that is unknown."""
    return not torch.backends.mkldnn.is_available() or torch.ops.mkldnn._is_mkldnn_bf16_supported()
