"""Logging to Weights & Biases (wandb).

A resumed run keeps its id. Gradient norms by depth are one heat map instead of one chart for each
layer. Without an API key wandb works offline, and `wandb sync` sends the folder later; it never
asks for a login.
"""

from __future__ import annotations

import netrc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stablenets.config import Resolved
from stablenets.plotting.figures import gradient_heatmap, render_pixels
from stablenets.runs.provenance import short_commit

HOST = "api.wandb.ai"
TIMEOUT = 20.0  # seconds to wait for the server


def has_wandb_key() -> bool:
    """Whether the environment or ~/.netrc holds an API key for wandb."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    url = os.environ.get("WANDB_BASE_URL", HOST)
    try:
        host = url.removeprefix("https://").rstrip("/")
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


class WandbLogger:
    """Logs one run to wandb. Every method does nothing if wandb.mode=disabled.

    Args:
        run: The resolved configuration.
        folder: The run folder, in which wandb keeps its files.
        entry: The provenance entry of this session.
        say: Called with a message for the user if the server does not answer.
    """

    def __init__(
        self, run: Resolved, folder: Path, entry: dict[str, Any], say: Callable[[str], None]
    ) -> None:
        mode = run.config.wandb.mode
        self.run: Any = None
        if mode == "disabled":
            return
        is_online = mode == "online" or (mode == "auto" and has_wandb_key())
        import wandb

        settings = run.config.wandb
        tags = [*settings.tags, run.dataset_name, run.net.family]
        if entry["commit"]:
            tags.append(short_commit(entry["commit"], entry["dirty"]))
        # force=true makes a run again, and wandb needs another id for it
        redone = len(list(folder.parent.glob(f"{folder.name}.old-*")))

        def start(is_online: bool) -> Any:
            return wandb.init(
                project=settings.project,
                group=settings.group,
                job_type="train",
                id=run.hash + (f"-{redone}" if redone else ""),
                name=run.name,
                resume="allow",
                tags=tags,
                config=run.options,
                dir=folder,
                mode="online" if is_online else "offline",
                settings=wandb.Settings(
                    silent=True,
                    console="off",
                    disable_git=True,
                    x_disable_stats=True,
                    disable_code=True,
                    init_timeout=TIMEOUT,
                ),
            )

        try:
            self.run = start(is_online)
        except wandb.errors.Error as error:  # a logger must not stop a run
            say(
                f"wandb: {' '.join(str(error).split())}; logging offline instead,"
                f" `wandb sync` sends {folder / 'wandb'} later"
            )
            wandb.teardown()
            self.run = start(is_online=False)

    def log_row(self, row: dict[str, Any]) -> None:
        """Log the metrics of one epoch."""
        if self.run is not None:
            self.run.log(
                {name: value for name, value in row.items() if name != "step"}, step=row["step"]
            )

    def log_results(self, arrays: dict[str, np.ndarray], summary: dict[str, Any]) -> None:
        """Log the summary of a finished run, with figures.

        Args:
            arrays: What `training.recorder.Recorder.arrays` returns.
            summary: The summary of the run.
        """
        if self.run is None:
            return
        import wandb

        figures: dict[str, wandb.Image | wandb.Histogram] = {}
        if "state_gradients" in arrays:
            figures["gradient norm by depth"] = wandb.Image(render_pixels(gradient_heatmap(arrays)))
        if "singular_values" in arrays and np.isfinite(arrays["singular_values"][-1]).all():
            figures["singular values"] = wandb.Histogram(
                arrays["singular_values"][-1].flatten().tolist()
            )
        self.run.log(figures)
        self.run.summary.update(summary)

    def close(self) -> None:
        """End the logging of this session."""
        if self.run is not None:
            self.run.finish()
            self.run = None
