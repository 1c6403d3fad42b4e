"""What a run's precision asks of its device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

from stablenets.engine import native
from stablenets.engine.norms import native_passes

MIXED = ("bfloat16", "bfloat16_fused")


@contextlib.contextmanager
def mixed(precision: str, device: torch.device) -> Iterator[None]:
    """Where a forward runs: under autocast for bfloat16, with norms and activations in one pass for
    bfloat16_fused; else weights and data have the precision themselves."""
    with contextlib.ExitStack() as stack:
        if precision in MIXED:
            stack.enter_context(torch.autocast(device.type, torch.bfloat16))
        if precision == "bfloat16_fused":
            stack.enter_context(native_passes())
        yield


def laid_out(x: Tensor, precision: str) -> Tensor:
    """Images with channels last where passes of our own read what an opening makes of them."""
    if precision == "bfloat16_fused" and x.dim() == 4:
        return x.contiguous(memory_format=torch.channels_last)
    return x


def warning(precision: str, device: torch.device) -> str:
    """A line for people where the processor has no bfloat16, which is then emulated, or where there
    is no compiler for our passes; '' where all is well."""
    if precision in MIXED and device.type == "cpu" and not has_bfloat16():
        return (
            f"precision={precision}: this processor has no bfloat16 and emulates it, which "
            "takes several times as long as precision=float32"
        )
    if precision == "bfloat16_fused" and device.type == "cpu" and not native.is_available():
        return (
            f"precision={precision}: no C++ compiler that makes our passes (g++, or $CXX); norms "
            "and activations are torch's, as with precision=bfloat16"
        )
    return ""


def has_bfloat16() -> bool:
    """Whether oneDNN runs products of bfloat16 on this processor; without oneDNN it is not known,
    and nothing is held against it.
    """
    return not torch.backends.mkldnn.is_available() or torch.ops.mkldnn._is_mkldnn_bf16_supported()
