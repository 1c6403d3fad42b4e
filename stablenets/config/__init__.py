"""The options of a run, their resolution and compatibility checks, and the identity of a run."""

from typing import TYPE_CHECKING

from stablenets.lazy import lazy_exports

if TYPE_CHECKING:  # type checkers do not see the lazy imports
    from stablenets.config.options import EXECUTION_KEYS as EXECUTION_KEYS
    from stablenets.config.resolved import Resolved as Resolved
    from stablenets.config.resolving import resolve as resolve

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "EXECUTION_KEYS": "stablenets.config.options",
        "Resolved": "stablenets.config.resolved",
        "resolve": "stablenets.config.resolving",
    },
)
