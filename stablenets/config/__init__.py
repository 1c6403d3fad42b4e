"""The options of a run, their resolution and compatibility checks, and the identity of a run."""

from stablenets.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "EXECUTION_KEYS": "stablenets.config.options",
        "Resolved": "stablenets.config.resolved",
        "resolve": "stablenets.config.resolving",
    },
)
