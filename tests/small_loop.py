"""A small training loop, and what tests read of it."""

import io
from pathlib import Path
from types import SimpleNamespace

import torch

from stablenets import data
from stablenets.config import resolve
from stablenets.nets import Network
from stablenets.training.loop import Loop
from stablenets.training.progress import Progress

CPU = torch.device("cpu")
NO_SIGNAL = SimpleNamespace(signal=None)  # replaces StopSignal


def small_loop(folder: Path, seed: int = 0, **groups) -> Loop:
    """A loop over 72 points: 5 steps in each epoch, the last one with a batch of 8.

    Args:
        folder: Where the log goes.
        seed: The seed of the run.
        **groups: Options that differ, such as net={...} or optim={...}.
    """
    plain = {
        "dataset": {"name": "ellipses", "train_points": 40, "test_points": 20},
        "seeds": {},
        "wandb": {},
        "depth": 3,
        "epochs": 2,
        "batch": 16,
        "seed": seed,
    }
    shared = {
        "net": {"family": "antisymmetric", "widths": [4]},
        "optim": {"lr": 0.01},
        "probe": {"every": 2, "spectrum_epochs": [1]},
    }
    values = (
        plain
        | shared
        | {key: shared[key] | value if key in shared else value for key, value in groups.items()}
    )
    run = resolve(values)
    dataset = data.load(
        run.dataset,
        run.common,
        root=folder,
        split_seed=0,
        permutation_seed=0,
        device=CPU,
        download=False,
    )
    torch.manual_seed(seed)
    net = Network(
        run.dynamics,
        shape=dataset.facts.shape,
        outputs=dataset.facts.outputs,
        widths=run.net.widths,
        depth=run.config.depth,
        h=run.config.h,
        operator=run.net.operator,
        opening_kind=run.net.opening,
        head_kind=run.net.head,
        backward=run.config.backward,
    )
    net.to(torch.float64 if run.config.precision == "float64" else torch.float32)
    saved = []

    def save(loop) -> None:
        buffer = io.BytesIO()
        torch.save(loop.state_dict(), buffer)  # as on disk, and a copy
        saved.append(buffer)

    progress = Progress("none", folder / "log.txt")
    loop = Loop(run, dataset, net, CPU, progress, save, lambda loop: None)
    progress.start(0, loop.steps)
    loop.saved_states = saved
    return loop


def first_batch(loop: Loop) -> tuple[torch.Tensor, torch.Tensor]:
    return next(iter(loop.data.train.batches(loop.config.batch, 0, 0)))


def weights(loop: Loop) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in loop.net.parameters()]


def all_equal(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
