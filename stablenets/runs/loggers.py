"""wandb: the same run under the same id wherever it is resumed, with pictures of depth instead of a
chart a layer.

Without a key it works offline (`wandb sync` sends the folder later) and never asks for a login.
"""

from __future__ import annotations

import netrc
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stablenets.config import Resolved
from stablenets.plotting.figures import gradient_heatmap, render_pixels
from stablenets.runs.provenance import made_at

if TYPE_CHECKING:
    from stablenets.training.recorder import Recorder

HOST = "api.wandb.ai"
TIMEOUT = 20.0  # seconds for the server to answer


def has_key() -> bool:
    """Whether a wandb key is set up, in the environment or in ~/.netrc."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return (
            netrc.netrc().authenticators(
                os.environ.get("WANDB_BASE_URL", HOST).removeprefix("https://").rstrip("/")
            )
            is not None
        )
    except (OSError, netrc.NetrcParseError):
        return False


class Wandb:
    """One run's logger; every call does nothing where wandb is disabled. `say` tells a person of a
    server that does not answer.
    """

    def __init__(
        self, run: Resolved, folder: Path, session: dict[str, Any], say: Callable[[str], None]
    ) -> None:
        mode = run.config.wandb.mode
        if mode == "auto":
            mode = "online" if has_key() else "offline"
        self.run = None
        if mode == "disabled":
            return
        import wandb

        settings = run.config.wandb
        tags = [*settings.tags, run.config.profile, run.dataset_name, run.net.family]
        if session["commit"]:
            tags.append(made_at(session["commit"], session["dirty"]))
        redone = len(
            list(folder.parent.glob(f"{folder.name}.old-*"))
        )  # a run made again by force is another run to wandb

        def start(mode: str) -> Any:
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
                mode=mode,
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
            self.run = start(mode)
        except wandb.errors.Error as error:  # a logger never stops a run
            say(
                f"wandb: {' '.join(str(error).split())}; going on offline, `wandb sync` sends"
                f" {folder / 'wandb'} later"
            )
            wandb.teardown()
            self.run = start("offline")

    def row(self, row: dict[str, Any]) -> None:
        if self.run is not None:
            self.run.log(
                {name: value for name, value in row.items() if name != "step"}, step=row["step"]
            )

    def end(self, recorder: Recorder, summary: dict[str, Any]) -> None:
        """The gradient norms as a heat map over depth and time, the last spectrum as a histogram,
        the summary.
        """
        if self.run is None:
            return
        import wandb

        pictures = {}
        if recorder.state_gradients:
            pictures["gradient norm by depth"] = wandb.Image(
                render_pixels(gradient_heatmap(recorder.arrays()))
            )
        if recorder.singular_values and recorder.singular_values[-1].isfinite().all():
            pictures["singular values"] = wandb.Histogram(
                recorder.singular_values[-1].flatten().tolist()
            )
        self.run.log(pictures)
        self.run.summary.update(summary)

    def close(self) -> None:
        if self.run is not None:
            self.run.finish()
            self.run = None
