"""The name of a run: a readable part, and a hash of all options that decide its numbers.

The identity of a run is the set of its resolved options that differ from the schema's defaults. A
new option whose default changes nothing therefore renames no run. Depth, step size, widths, seeds,
data set and family are always part of the identity. `EXECUTION_KEYS` never are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from stablenets.config.defaults import identity_defaults

ALWAYS = ("dataset.name", "net.family", "net.widths", "seeds.split", "seeds.permutation")
DERIVED = ("T",)  # h * depth


def training_identity(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that decide the numbers of a training run.

    Args:
        options: All resolved options with flat keys, such as "optim.lr".
    """
    defaults = identity_defaults(options["dataset.name"], options["net.family"])
    return {
        key: value
        for key, value in differing_options(options, defaults, ALWAYS).items()
        if key not in DERIVED
    }


def training_name(options: Mapping[str, Any]) -> str:
    """Return the name of a run folder: "resnet-dense-digits-L64-s0-0a55ef243362".

    Args:
        options: All resolved options with flat keys.
    """
    parts = (
        options["net.family"],
        options["net.operator"],
        options["dataset.name"],
        f"L{options['depth']}",
        f"s{options['seeds.init']}",
        hash_identity(training_identity(options)),
    )
    return "-".join(parts)


def differing_options(
    options: Mapping[str, Any], defaults: Mapping[str, Any], always: tuple[str, ...]
) -> dict[str, Any]:
    """Return the options that differ from their defaults, have none, or are named in `always`."""
    return {
        key: value
        for key, value in options.items()
        if key in always or key not in defaults or value != defaults[key]
    }


def hash_identity(identity: Mapping[str, Any]) -> str:
    """Return twelve hexadecimal digits of SHA-256, independent of the order of keys."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
