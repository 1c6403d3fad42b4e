"""Names that a package imports at their first use.

`import stablenets` and `stablenets --help` answer at once because they do not import torch.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_exports(
    package: str, sources: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` of a package with lazily imported names.

    Args:
        package: The package's `__name__`.
        sources: The module that defines each name. A submodule is its own source.

    Examples:
        >>> __getattr__, __dir__, __all__ = lazy_exports(__name__, {"Flow": "package.flow"})
    """

    def load(name: str) -> Any:
        if name not in sources:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(sources[name])
        value = module if sources[name] == f"{package}.{name}" else getattr(module, name)
        setattr(sys.modules[package], name, value)  # the next use does not come here
        return value

    names = sorted(sources)
    return load, lambda: sorted(sys.modules[package].__all__), names
