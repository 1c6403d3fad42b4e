"""What a run's precision asks of its device."""
from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch


def mixed(precision: str, device: torch.device) -> AbstractContextManager:
    """Where a forward runs: under autocast for bfloat16; else weights and data have the precision themselves."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else contextlib.nullcontext()


def warning(precision: str, device: torch.device) -> str:
    """A line for people where the processor has no bfloat16, which is then emulated; '' where all is well."""
    if precision == "bfloat16" and device.type == "cpu" and not has_bfloat16():
        return ("precision=bfloat16: this processor has no bfloat16 and emulates it, which takes several times as long as "
                "precision=float32")
    return ""


def has_bfloat16() -> bool:
    """Whether oneDNN runs products of bfloat16 on this processor; without oneDNN it is not known, and nothing is held against it."""
    return not torch.backends.mkldnn.is_available() or torch.ops.mkldnn._is_mkldnn_bf16_supported()
