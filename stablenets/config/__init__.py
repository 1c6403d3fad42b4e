"""The options of a run, their resolution and compatibility checks, and the identity of a run."""

from stablenets.config.options import EXECUTION_KEYS
from stablenets.config.resolved import Resolved
from stablenets.config.resolving import resolve

__all__ = ["EXECUTION_KEYS", "Resolved", "resolve"]
