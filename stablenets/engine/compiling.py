"""Functions that torch.compile calls as they are.

Room: below `fused`, `moves` and `reverse`, whose loops over depth or time a compiler would unroll.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch


def disable_compile(function: Callable) -> Callable:
    """As torch.compiler.disable, which imports the compiler; here the first call does, so that
    importing stablenets, and hence an error message or a --help, does not wait three seconds for
    it.
    """
    disabled = None

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal disabled
        if disabled is None:
            disabled = torch.compiler.disable(function)
        return disabled(*args, **kwargs)

    return call
