"""Checks that a class of a plugin can be used as the package uses it, before any work."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from types import FunctionType

from stablenets.errors import BadInput

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def check_interface(cls: type, base: type) -> None:
    """Check the methods that a class overrides, and that its facts are no option.

    Args:
        cls: The class.
        base: The class of the package from which it derives.

    Raises:
        BadInput: If a method cannot be called with the arguments that it is given, or `facts` is a
            field of the dataclass.
    """
    if "facts" in (field.name for field in dataclasses.fields(cls)):
        raise BadInput(
            f"{cls.__name__}: facts is an option; it is the same for all, so write facts:"
            " ClassVar[DatasetFacts] = DatasetFacts(...)"
        )
    for name, method in overridden_methods(cls, base):
        wanted = inspect.signature(getattr(base, name)).parameters.values()
        arguments = [parameter.name for parameter in wanted if parameter.kind in POSITIONAL]
        try:
            # further arguments, such as the tensors of `prepare`, differ from class to class
            inspect.signature(method).bind_partial(*arguments)
            if not any(parameter.kind not in POSITIONAL for parameter in wanted):
                inspect.signature(method).bind(*arguments)
        except TypeError:
            given = inspect.signature(method)
            raise BadInput(
                f"{cls.__name__}.{name}{given}: is called with other arguments; write"
                f" {name}({', '.join(arguments)})"
            ) from None


def overridden_methods(cls: type, base: type) -> Iterator[tuple[str, FunctionType]]:
    """The methods of `base` that `cls`, or a class between them, defines again."""
    for name in dir(base):
        own, first = inspect.getattr_static(cls, name), inspect.getattr_static(base, name)
        is_method = isinstance(first, FunctionType) and not name.startswith("_")
        if is_method and isinstance(own, FunctionType) and own is not first:
            yield name, own
