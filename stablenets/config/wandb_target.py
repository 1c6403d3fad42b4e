"""Where a run is logged by Weights & Biases: from its options, or else from the environment.

The environment is read when it is needed. It never enters the options of a run, and so never its
name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from stablenets.config.options import Wandb
from stablenets.errors import BadInput

MODES = ("online", "offline", "disabled")
FORBIDDEN = "/\\#?%:"  # in the name of a project
LONGEST_NAME = 128  # characters of a project or group
LONGEST_TAG = 64


@dataclass(frozen=True)
class WandbTarget:
    """Where a run is logged.

    Args:
        mode: 'auto', 'online', 'offline' or 'disabled'.
        project: The project.
        entity: The user or team; None for the default of the account.
    """

    mode: str
    project: str
    entity: str | None


def wandb_target(options: Wandb) -> WandbTarget:
    """Return where a run is logged. An option goes before its environment variable."""
    return WandbTarget(
        mode=options.mode if options.mode != "auto" else os.environ.get("WANDB_MODE") or "auto",
        project=options.project or os.environ.get("WANDB_PROJECT") or "stablenets",
        entity=options.entity or os.environ.get("WANDB_ENTITY") or None,
    )


def check_wandb_options(options: Wandb) -> None:
    """Check what wandb would refuse later, unless logging is off.

    Raises:
        BadInput: If the mode, the project, the group or a tag cannot be used.
    """
    target = wandb_target(options)
    if target.mode == "disabled":
        return
    if target.mode not in ("auto", *MODES):
        raise BadInput(f"WANDB_MODE={target.mode}: one of: {', '.join(MODES)}")
    key = "wandb.project" if options.project else "WANDB_PROJECT"
    check_length(key, target.project, LONGEST_NAME)
    if found := sorted(set(FORBIDDEN) & set(target.project)):
        raise BadInput(f"{key}={target.project}: leave out {' '.join(found)}")
    if options.group is not None:
        check_length("wandb.group", options.group, LONGEST_NAME)
    for tag in options.tags:
        check_length("wandb.tags", tag, LONGEST_TAG)


def check_length(key: str, value: str, longest: int) -> None:
    """Raise `BadInput` if a name is empty or too long."""
    if not 0 < len(value) <= longest:
        raise BadInput(f"{key}={value}: give 1 to {longest} characters")
