"""The logger for Weights & Biases (wandb).

wandb keeps a run under one id, so a resumed run continues its curves. Without an API key it works
offline, and `sync_runs` sends the files later; it never asks for a login. wandb is slow to import,
so it is imported only in the functions that use it.
"""

from __future__ import annotations

import netrc
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stablenets.config import Resolved
from stablenets.config.identity import hash_identity
from stablenets.config.wandb_target import wandb_target
from stablenets.runs.loggers.history import Row
from stablenets.runs.loggers.logger import LoggedRun
from stablenets.runs.loggers.wandb_media import wandb_media
from stablenets.runs.loggers.wandb_offline import count_kept_rows, remove_unsent_sessions
from stablenets.runs.provenance import short_commit

HOST = "api.wandb.ai"
TIMEOUT = 20.0  # seconds to wait for the server
SEED_KEYS = ("seeds.init", "seeds.order")  # what distinguishes the runs of one group
PROVENANCE = ("command", "commit", "dirty", "host", "device", "data")


def start_wandb(logged: LoggedRun) -> WandbLogger | None:
    """Return the logger of a run, online or offline; None if wandb is disabled.

    If the server does not answer, it logs offline.
    """
    mode = wandb_target(logged.run.config.wandb).mode
    if mode == "disabled":
        return None
    import wandb

    remove_unsent_sessions(logged.folder, wandb_id(logged.run, logged.folder))
    is_online = mode == "online" or (mode == "auto" and has_wandb_key())
    try:
        return WandbLogger(logged, is_online)
    except wandb.errors.Error as error:
        if not is_online:
            raise
        logged.say(f"wandb: {' '.join(str(error).split())}; logging offline instead")
        wandb.teardown()
        return WandbLogger(logged, is_online=False)


class WandbLogger:
    """Logs one session of a run to wandb.

    The rows that wandb has of earlier sessions are not logged again.

    Args:
        logged: The run.
        is_online: Whether to send everything at once, instead of keeping it in the run folder.
    """

    def __init__(self, logged: LoggedRun, is_online: bool) -> None:
        import wandb

        run, options = logged.run, logged.run.config.wandb
        target, name = wandb_target(options), wandb_id(run, logged.folder)
        # counted before this session has a file, too
        kept_rows = 0 if is_online else count_kept_rows(logged.folder, name)
        provenance = {key: logged.entry[key] for key in PROVENANCE if key in logged.entry}
        self.weights = logged.folder / "weights.pt" if options.weights else None
        self.run = wandb.init(
            entity=target.entity,
            project=target.project,
            group=options.group or group_name(run),
            job_type="train",
            id=name,
            name=run.name,
            resume="allow",
            tags=wandb_tags(logged),
            config=run.options | provenance,
            dir=logged.folder,
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
        # training steps are on the x axis; wandb's own step only counts rows
        self.run.define_metric("step", hidden=True)
        self.run.define_metric("*", step_metric="step")
        self.known = self.run.starting_step if is_online else kept_rows

    def log_row(self, row: Row) -> None:
        if self.known:
            self.known -= 1
        else:
            self.run.log(row)

    def log_results(self, summary: Row, arrays: Mapping[str, np.ndarray]) -> None:
        import wandb

        self.run.log(wandb_media(arrays))
        self.run.summary.update(summary)
        if self.weights is not None:
            artifact = wandb.Artifact(f"weights-{self.run.id}", type="model")
            artifact.add_file(str(self.weights))
            self.run.log_artifact(artifact)

    def close(self, status: str, exit_code: int) -> None:
        import wandb

        try:
            self.run.summary.update({"status": status, "exit_code": exit_code})
            self.run.finish(exit_code=exit_code)
        except Exception:
            wandb.teardown()  # so that the next run of this process starts a new service
            raise


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


def wandb_id(run: Resolved, folder: Path) -> str:
    """Return the id of a run: its hash, unless an agent of a wandb sweep has chosen one.

    A run that is repeated by force=true gets another id, since wandb does not allow the old one.
    """
    if is_sweep_trial():
        return os.environ["WANDB_RUN_ID"]
    redone = len(list(folder.parent.glob(f"{folder.name}.old-*")))
    return run.hash + (f"-{redone}" if redone else "")


def is_sweep_trial() -> bool:
    """Whether this process is a trial that an agent of a wandb sweep has started."""
    return bool(os.environ.get("WANDB_SWEEP_ID") and os.environ.get("WANDB_RUN_ID"))


def group_name(run: Resolved) -> str:
    """Return the name of a run without its seed, which runs that differ in the seed share."""
    identity = {key: value for key, value in run.identity.items() if key not in SEED_KEYS}
    configuration = run.name.removesuffix(f"-s{run.config.seeds.init}-{run.hash}")
    return f"{configuration}-{hash_identity(identity)}"


def wandb_tags(logged: LoggedRun) -> list[str]:
    """Return the tags of a run: its own, the data set, the family and the commit."""
    run, entry = logged.run, logged.entry
    tags = [*run.config.wandb.tags, run.dataset_name, run.net.family]
    if entry["commit"]:
        tags.append(short_commit(entry["commit"], entry["dirty"]))
    return list(dict.fromkeys(tags))
