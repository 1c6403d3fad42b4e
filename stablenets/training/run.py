"""The training entry point: `train` makes one run in its folder and returns how it ended."""

from __future__ import annotations

import dataclasses
import io
import math
import signal
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import torch

from stablenets import data
from stablenets.config import Resolved
from stablenets.errors import START_AGAIN, BadInput
from stablenets.nets import Network, SequenceNetwork
from stablenets.runs.checkpoint import load_checkpoint
from stablenets.runs.folder import PROBES, WEIGHTS, RunFolder
from stablenets.runs.loggers.logger import LoggedRun
from stablenets.runs.loggers.run_log import RunLog, log_finished_run
from stablenets.runs.loggers.wandb_logger import is_sweep_trial
from stablenets.runs.provenance import command_line, load_history, session_entry
from stablenets.runs.session import Outcome, RunSession, finished_run, run_session
from stablenets.training.environment import data_root, default_modes, pick_device, reset_globals
from stablenets.training.loop import Loop
from stablenets.training.multilevel import prolong
from stablenets.training.network import build_network, load_trained_network
from stablenets.training.progress import Progress
from stablenets.training.signals import StopSignal


@default_modes()
def train(run: Resolved, command: str | None = None, wait: float = 0.0) -> Outcome:
    """Make one run in its folder.

    A finished run is not made again, an interrupted one resumes from its last checkpoint, and a
    failed one is tried again. The results of a resumed run are bitwise those of an uninterrupted
    one. The function sets every process-wide option on which it depends, so that earlier runs in
    the same process have no effect. Seeds, the number of threads and determinism stay set; the
    default dtype, autocast and the gradient mode are those of the caller afterwards.

    Args:
        run: The resolved configuration. `run.config.runs` is the folder of all runs.
        command: The command line that makes this run, for its provenance. By default it is the
            command line of this process.
        wait: Seconds to wait while another process works on this run.

    Returns:
        How the run ended. If there is an error during the run, the status is 'failed', and no
        exception is raised.

    Raises:
        BadInput: If the device, the data or the run folder cannot be used; nothing is changed.
        Busy: If another process works on this run, or takes it over.

    Examples:
        >>> from stablenets.config import resolve
        >>> from stablenets.training.run import train
        >>> values = {"dataset": {"name": "digits"}, "net": {"family": "antisymmetric"}}
        >>> outcome = train(resolve(values | {"T": 5.0, "epochs": 5}))
        >>> outcome.status, outcome.summary["test_accuracy"]
        ('done', 0.97)
    """
    if not isinstance(run, Resolved):
        kind = type(run).__name__
        raise TypeError(f"train: takes resolved options, not a {kind}; use train(resolve(values))")
    config = run.config
    device = pick_device(config.device)
    folder = RunFolder(Path(config.runs) / run.name)
    finished = None if config.force else finished_run(folder, config.stale)
    if finished:
        history = load_history(finished.folder)
        if run.dataset.reads_files:
            check_data_of_finished_run(run, finished.folder, history, device)
        if is_sweep_trial():
            log_finished_run(run, RunFolder(finished.folder), history)
        return finished
    reset_globals(run)
    dataset = load_data(run, device)
    stop = StopSignal()
    work = partial(train_in_session, run, dataset, device, command or command_line(), stop)
    outcome = run_session(folder, work, force=config.force, stale=config.stale, wait=wait)
    if stop.signal is not None and outcome.status != "interrupted":
        signal.raise_signal(stop.signal)  # too late for this run, but nothing else may start
    return outcome


def load_data(run: Resolved, device: torch.device) -> data.Dataset:
    """The data set of a run, on its device.

    Raises:
        BadInput: If the data cannot be read.
    """
    root = data_root(run.config.data_root)
    try:
        return data.load(
            run.dataset,
            run.common,
            root=root,
            split_seed=run.config.seeds.split,
            permutation_seed=run.config.seeds.permutation,
            device=device,
            download=run.config.download,
        )
    except OSError as error:  # of a data set that reads its files by itself
        problem = f"{error.filename}: {error.strerror}" if error.strerror else str(error)
        raise BadInput(
            f"data_root={root}: dataset {run.dataset_name} cannot be read ({problem.rstrip('.')});"
            " choose the folder of its files with data_root=DIR"
        ) from None


def check_data_of_finished_run(
    run: Resolved, folder: Path, history: list[dict[str, Any]], device: torch.device
) -> None:
    """Raise `BadInput` if the data that is read now is not that of a finished run.

    If the data is no longer there, the result is still valid.
    """
    try:
        dataset = load_data(run, device)
    except BadInput:
        return
    check_same_data(folder, history, dataset)


def check_same_data(folder: Path, history: list[dict[str, Any]], dataset: data.Dataset) -> None:
    """Raise `BadInput` if an earlier session of the run used other data.

    So a result on substitute data is never taken for one on the real data, and one run never uses
    both.
    """
    for session in history:
        if session["data"]["digests"] != dataset.digests:
            before, now = session["data"]["source"], dataset.source
            problem = f"made on other data ({before}) than is read now ({now})"
            if before == now:
                problem = f"made on {now}, and its content changed since"
            raise BadInput(f"{folder}: {problem}; use another folder of runs, or {START_AGAIN}")


def train_in_session(
    run: Resolved,
    dataset: data.Dataset,
    device: torch.device,
    command: str,
    stop: StopSignal,
    session: RunSession,
) -> Outcome:
    """Train from the last checkpoint or from the start, and leave the folder complete."""
    config, folder = run.config, session.folder.path
    state, note = load_checkpoint(folder)
    check_same_data(folder, session.history, dataset)
    coarser = run.coarser if state is None else None
    # another process may train this level, as part of another multilevel training
    coarse = train(coarser, command, wait=math.inf) if coarser else None
    classes = (type(run.dynamics), type(run.dataset))
    entry = session_entry(device, config.threads, command, classes) | {
        "data": {"source": dataset.source, "digests": dataset.digests},
        "seeds": dataclasses.asdict(config.seeds),
    }
    session.begin(run.options, run.execution, entry)
    if coarser and coarse and coarse.status != "done":
        return end_without_coarser_level(session, coarse, coarser)

    torch.manual_seed(config.seeds.init)
    net = build_network(run, dataset.facts).to(device)
    if coarser and coarse:
        prolong(load_trained_network(coarser, coarse.folder), net)

    with (
        closing(Progress(config.progress, folder / "log.txt")) as progress,
        open_log(run, session, progress) as log,
    ):
        save, on_epoch = partial(save_state, session), partial(save_metrics, session, log)
        loop = Loop(run, dataset, net, device, progress, save, on_epoch)
        begin_or_resume(loop, state, note, session)
        log.log_rows(loop.rows, loop.recorder.arrays)  # those of earlier sessions
        session.save_state = loop.checkpoint_if_resumable
        with stop:  # to the return: a repeated signal must not end the process before
            status = loop.run(stop)
            if status == "interrupted":
                assert stop.signal is not None
                session.set_status(status, step=loop.step, epoch=loop.epoch)
                log.close(status, 128 + stop.signal)
                message = (
                    f"{folder}: interrupted at step {loop.step}; the state is saved, and"
                    f" {session.same_command} resumes the run"
                )
                return Outcome(folder, status, message, exit_code=128 + stop.signal)
        save_weights(session, net)
        session.write_metrics(loop.rows)
        log.log_results(loop.summary(), loop.rows, loop.recorder.arrays)
        log.close(status)
    return session.finish(status, loop.summary(), len(loop.rows))


def begin_or_resume(
    loop: Loop, state: dict[str, Any] | None, note: str, session: RunSession
) -> None:
    """Load the checkpoint if there is one, report what will be done, and start the clock."""
    folder, batch = session.folder.path, min(loop.config.batch, len(loop.data.train))
    doing = f"starting: {loop.steps} steps of {batch} examples"
    if state is not None:
        loop.load_state_dict(state)
        session.write_metrics(loop.rows)  # without rows later than the checkpoint
        doing = f"resuming at step {loop.step} of {loop.steps}"
    line = f"{folder}: {doing}, {loop.data.source}, {loop.device}"
    if session.lock.previous_holder:
        line += f"; it ran before{session.lock.previous_holder}, which was killed"
    loop.progress.say(line)
    if note:
        loop.progress.say(f"{folder}: {note}")
    loop.progress.start(loop.step, loop.steps)


def save_state(session: RunSession, loop: Loop) -> None:
    """Save a checkpoint, the arrays of the probes and the provenance."""
    session.write_checkpoint(loop.state_dict())
    session.write(PROBES, loop.recorder.to_npz())
    session.save_provenance()


def open_log(run: Resolved, session: RunSession, progress: Progress) -> RunLog:
    """The loggers of a session."""
    logged = LoggedRun(run, session.folder.path, session.entry, progress.say)
    return RunLog(logged, seconds=sum(entry["wall_s"] for entry in session.history))


def save_metrics(session: RunSession, log: RunLog, loop: Loop) -> None:
    """Write and log the metrics after an epoch."""
    session.write_metrics(loop.rows)
    log.log_rows(loop.rows, loop.recorder.arrays)


def save_weights(session: RunSession, net: Network | SequenceNetwork) -> None:
    """Write the state dict of a network."""
    buffer = io.BytesIO()  # torch.save to a path reports a full disk as a RuntimeError
    torch.save(net.state_dict(), buffer)
    session.write(WEIGHTS, buffer.getbuffer())


def end_without_coarser_level(session: RunSession, coarse: Outcome, coarser: Resolved) -> Outcome:
    """End a run whose coarser level has no trained weights, with the status of that level.

    If that level diverged, this run counts as diverged, too.
    """
    depth = coarser.config.depth
    reason = f"the coarser level of {depth} layers: {coarse.message}"
    if coarse.status == "diverged":
        divergence = {"depth": depth} | coarse.summary["divergence"]
        summary = {"epochs": 0, "steps": 0, "divergence": divergence}
        session.write_metrics([])
        return session.finish(coarse.status, summary, reason=reason)
    session.set_status(coarse.status, reason=reason)
    message = f"{session.folder.path}: {coarse.status}: {reason}"
    return Outcome(session.folder.path, coarse.status, message, exit_code=coarse.exit_code)
