"""Functions that torch.compile calls without compiling them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch


def disable_compile(function: Callable) -> Callable:
    """Return the function with compilation disabled, for loops that a compiler would unroll.

    `torch.compiler.disable` imports the compiler, which takes three seconds. Here the first call
    imports it, so that importing stablenets stays fast.

    Args:
        function: Any function; a decorator.

    Returns:
        The function, which torch.compile calls as it is.
    """
    disabled = None

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal disabled
        if disabled is None:
            disabled = torch.compiler.disable(function)
        return disabled(*args, **kwargs)

    return call
