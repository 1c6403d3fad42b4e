"""The single training entrypoint: `train(resolved)` makes one run in its folder and says how it
ended.

    from stablenets.config import resolve from stablenets.training.run import train outcome =
    train(resolve({"dataset": {"name": "digits"}, "net": {"family": "antisymmetric"}, "T": 5.0,
    "epochs": 5}))

A finished run is not made again, an interrupted one goes on where its last checkpoint stands, a
failed one is tried again. It resets every global that it depends on (seeds, threads, determinism),
so that runs made one after another in a process are the same runs.
"""

from __future__ import annotations

import ctypes
import dataclasses
import io
import os
import platform
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stablenets import data
from stablenets.config import Resolved
from stablenets.config.options import Config
from stablenets.engine import graphs
from stablenets.errors import EXIT_FAILED, BadInput, Busy, Irreversible
from stablenets.nets import Network, Recurrent, SequenceNetwork
from stablenets.runs import checkpoint, files, provenance
from stablenets.runs.folder import FINISHED, RunFolder
from stablenets.runs.lock import Lock, held
from stablenets.runs.loggers import Wandb
from stablenets.training.loop import Loop
from stablenets.training.multilevel import prolong
from stablenets.training.progress import Progress
from stablenets.training.signals import Stop

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # names of mallopt
GOES_ON = {False: "the same command goes on", True: "the same command without force=true goes on"}


@dataclass(frozen=True)
class Outcome:
    """How a call of `train` ended."""

    folder: Path
    status: str  # one of runs.folder.STATUSES
    message: str  # a line for people
    summary: dict[str, Any] = dataclasses.field(default_factory=dict)
    exit_code: int = 0


def train(run: Resolved) -> Outcome:
    config = run.config
    device = pick_device(config.device)
    finished = None if config.force else finished_run(RunFolder(Path(config.runs) / run.name))
    set_globals(run)
    try:
        dataset = data.load(
            run.dataset,
            run.common,
            root=data_root(config),
            split_seed=config.seeds.split,
            permutation_seed=config.seeds.permutation,
            device=device,
            download=config.download,
        )
    except BadInput:
        if finished:
            return finished  # its data has gone since, which takes nothing from the run
        raise
    if finished:
        same_data(finished.folder, dataset)
        return finished
    folder = RunFolder.create(Path(config.runs), run.name)
    if config.force:
        with Lock(folder.path):  # this lock goes with the old folder, the new one has its own
            old = folder.put_aside()
        if old:
            print(f"{folder.path}: the old run is kept as {old.name}")
    with Lock(folder.path) as lock:
        try:
            return make(run, dataset, folder, lock, device)
        except OSError as error:
            return broken(
                folder,
                f"{error.strerror or error} ({error.filename or folder.path}); mend that; then "
                f"{GOES_ON[config.force]} from the last checkpoint",
            )
        except (BadInput, KeyboardInterrupt):
            raise
        except Irreversible as error:
            return broken(folder, str(error))
        except Exception as error:
            reason = (
                f"{type(error).__name__}:"
                f" {str(error).splitlines()[0] if str(error) else 'no message'}"
            )
            return broken(
                folder, f"{reason}; the traceback is in {folder.path / 'log.txt'}", reason
            )


def finished_run(folder: RunFolder) -> Outcome | None:
    """The outcome of a run that is finished already. One that is under way is said so here, before
    any data is read.
    """
    if not folder.path.is_dir():
        return None
    if held(folder.path):
        with Lock(folder.path):
            pass  # raises, and names the holder
    status = folder.status()
    if status is None or status["status"] not in FINISHED:
        return None
    folder.metrics()
    line = f"{folder.path}: {status['status']} already; force=true makes it again"
    return Outcome(folder.path, status["status"], line, status["summary"])


def same_data(folder: Path, dataset: data.Dataset) -> list[dict[str, Any]]:
    """The sessions of a run so far, all of them on these very arrays: a stand-in never passes for
    the real data, nor mixes with it.
    """
    history = provenance.load(folder)
    for session in history:
        if session["data"]["digests"] != dataset.digests:
            raise BadInput(
                f"{folder}: made on other data ({session['data']['source']}) than is read now"
                f" ({dataset.source}); use another runs=DIR, or force=true, which keeps this folder"
                " under another name"
            )
    return history


def make(
    run: Resolved, dataset: data.Dataset, folder: RunFolder, lock: Lock, device: torch.device
) -> Outcome:
    """Build, take up the last checkpoint if there is one, train, and leave the folder complete."""
    config = run.config
    state, note = checkpoint.load(folder.path)
    history = same_data(folder.path, dataset)
    coarse = level(run.coarser) if run.coarser is not None and state is None else None
    session = provenance.session(device, config.threads) | {
        "data": {"source": dataset.source, "digests": dataset.digests},
        "seeds": dataclasses.asdict(config.seeds),
    }
    begun = time.monotonic()
    folder.write_config(run.options, run.execution)
    folder.set_status("running")

    if coarse is not None and coarse.status != "done":
        files.write_json(folder.path / "provenance.json", [*history, session])
        return without(coarse, run.coarser, folder)

    torch.manual_seed(config.seeds.init)
    net = network(run, dataset.facts).to(device)
    if coarse is not None:
        prolong(trained(run.coarser, dataset.facts, coarse.folder), net)

    def save(state: dict[str, Any]) -> None:
        checkpoint.save(folder.path, state)
        files.write(folder.path / "probes.npz", loop.recorder.npz())
        record()
        lock.touch()

    def record() -> None:
        session["wall_s"] = round(time.monotonic() - begun, 3)
        files.write_json(folder.path / "provenance.json", [*history, session])

    def on_epoch(row: dict[str, Any]) -> None:
        folder.write_metrics(loop.rows)
        wandb.row(row)

    progress = Progress(config.progress, folder.path / "log.txt", 0)
    loop = Loop(run, dataset, net, device, progress, save, on_epoch)
    progress.total = loop.steps
    record()
    if state is not None:
        loop.load(state)
        folder.write_metrics(loop.rows)  # rows behind the checkpoint are made again
    wandb = Wandb(run, folder.path, session, progress.say)
    try:
        progress.say(
            f"{folder.path}: {'going on at step ' + str(loop.step) if state else 'starting'} of"
            f" {loop.steps}, "
            f"{dataset.source},"
            f" {device}"
            f"{lock.reclaimed and ', taken over from a process that died' + lock.reclaimed}"
        )
        if note:
            progress.say(f"{folder.path}: {note}")
        progress.start(loop.step)
        with Stop() as stop:
            status = loop.run(stop)
        progress.close()
        if status == "interrupted":
            folder.set_status(status, step=loop.step, epoch=loop.epoch)
            return Outcome(
                folder.path,
                status,
                f"{folder.path}: interrupted at step {loop.step}, saved; {GOES_ON[config.force]}",
                exit_code=128 + stop.signal,
            )
        buffer = io.BytesIO()  # torch.save to a path hides a full disk behind a RuntimeError
        torch.save(net.state_dict(), buffer)
        files.write(folder.path / "weights.pt", buffer.getbuffer())
        folder.write_metrics(loop.rows)
        wandb.end(loop.recorder, loop.summary())
    finally:
        progress.close()
        wandb.close()
    record()
    folder.set_status(
        status,
        summary=loop.summary(),
        rows=len(loop.rows),
        wall_s=sum(entry["wall_s"] for entry in [*history, session]),
    )
    return Outcome(folder.path, status, f"{folder.path}: {status}", loop.summary())


def level(coarser: Resolved) -> Outcome:
    """A coarser level, made unless it is there. It may be a level of another chain too, and another
    process be at it: wait for that.
    """
    while True:
        try:
            return train(coarser)
        except Busy:
            time.sleep(1.0)  # before another look


def without(coarse: Outcome, coarser: Resolved, folder: RunFolder) -> Outcome:
    """How a run ends whose coarser level left no weights to start from: as that level did.
    Divergence is a result of the whole chain.
    """
    at, summary = f"its level of {coarser.config.depth} layers, {coarse.message}", {}
    if coarse.status == "diverged":
        summary = {
            "epochs": 0,
            "steps": 0,
            "divergence": {"depth": coarser.config.depth} | coarse.summary["divergence"],
        }
    folder.write_metrics([])
    folder.set_status(coarse.status, reason=at, summary=summary, rows=0, wall_s=0.0)
    return Outcome(
        folder.path,
        coarse.status,
        f"{folder.path}: {coarse.status} with {at}",
        summary,
        coarse.exit_code,
    )


def trained(run: Resolved, facts: data.DatasetFacts, folder: Path) -> Network | SequenceNetwork:
    """The network of a finished run, with its weights."""
    net = network(run, facts)
    net.load_state_dict(torch.load(folder / "weights.pt", map_location="cpu", weights_only=True))
    return net


def network(run: Resolved, facts: data.DatasetFacts) -> Network | SequenceNetwork:
    """The network that a run describes, as it is drawn from torch's global generator, in the run's
    precision.
    """
    net, config = run.net, run.config
    if isinstance(run.dynamics, Recurrent):
        made = SequenceNetwork(
            run.dynamics,
            shape=facts.shape,
            outputs=facts.outputs,
            width=net.widths[0],
            every=facts.task == "label",
            head_hidden=net.head_hidden,
            backward=config.backward,
            gain=net.gain,
        )
    else:
        made = Network(
            run.dynamics,
            shape=facts.shape,
            outputs=facts.outputs,
            widths=net.widths,
            depth=config.depth,
            h=config.h,
            operator=net.operator,
            opening_kind=net.opening,
            head_kind=net.head,
            head_hidden=net.head_hidden,
            backward=config.backward,
            gain=net.gain,
            transition=net.transition,
            blocks=net.blocks,
        )
    for unit in made.units:
        for name in config.optim.frozen:
            getattr(unit, name).requires_grad_(False)
    return made.to(torch.float64 if config.precision == "float64" else torch.float32)


def broken(folder: RunFolder, line: str, reason: str = "") -> Outcome:
    """A run that could not go on: the folder says so as far as the disk lets it."""
    try:
        folder.set_status("failed", reason=reason or line)
        with (folder.path / "log.txt").open("a") as log:
            log.write(traceback.format_exc())
    except OSError:
        pass  # the disk is why: the old status, `running` without a holder, reads as interrupted
    return Outcome(folder.path, "failed", f"{folder.path}: failed: {line}", exit_code=EXIT_FAILED)


def pick_device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise BadInput(f"device={name}: not a device; one of: auto, cpu, cuda, cuda:N") from None
    there = {"cpu": 1, "cuda": torch.cuda.device_count()}.get(device.type, 0)
    if (device.index or 0) >= there:
        raise BadInput(
            f"device={name}: not on this machine ({there} of that kind); use device=cpu or"
            " device=auto"
        )
    return device


def data_root(config: Config) -> Path:
    return Path(config.data_root or os.environ.get("STABLENETS_DATA") or "data")


def set_globals(run: Resolved) -> None:
    torch.set_num_threads(run.config.threads)
    keep_freed_memory()
    os.environ.setdefault(
        "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
    )  # cuBLAS is deterministic only with a workspace of its own
    torch.use_deterministic_algorithms(run.config.deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = (
        False  # a debugging aid that costs a write for every allocation
    )
    graphs.graph_cache.clear()  # those of the run before


def keep_freed_memory() -> None:
    """Let glibc, where it is the allocator, keep what a step frees for the next one. It would give
    large blocks back, and the next step would wait for thousands of pages: 5 % of a step of
    Hamiltonian-74."""
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    for what, size in ((TRIM_THRESHOLD, 2**31 - 1), (TOP_PAD, 2**26), (MMAP_THRESHOLD, 2**25)):
        libc.mallopt(what, size)
