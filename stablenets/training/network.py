"""The network that a configuration describes."""

from __future__ import annotations

import io
from pathlib import Path

import torch

from stablenets.config import Resolved
from stablenets.config.resolving import resolve_stored
from stablenets.data import DatasetFacts
from stablenets.errors import BadInput
from stablenets.nets import Network, Recurrent, SequenceNetwork
from stablenets.runs.folder import WEIGHTS, RunFolder


def build_network(run: Resolved, facts: DatasetFacts) -> Network | SequenceNetwork:
    """The network of a run, with initial weights from torch's global random generator.

    Args:
        run: The resolved configuration.
        facts: Shapes and task of the data set.

    Returns:
        A network in the precision of the run, on the CPU; `optim.frozen` weights need no gradient.

    Examples:
        >>> torch.manual_seed(run.config.seeds.init)
        >>> net = build_network(run, run.dataset.facts)
    """
    net, config = run.net, run.config
    built: Network | SequenceNetwork
    if isinstance(run.dynamics, Recurrent):
        length, inputs = facts.shape
        built = SequenceNetwork(
            run.dynamics,
            shape=(length, inputs),
            outputs=facts.outputs,
            width=net.widths[0],
            every=facts.task == "label",
            head_hidden=net.head_hidden,
            backward=config.backward,
            gain=net.gain,
        )
    else:
        built = Network(
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
    for unit in built.units:
        for name in config.optim.frozen:
            getattr(unit, name).requires_grad_(False)
    return built.to(torch.float64 if config.precision == "float64" else torch.float32)


def load_run(folder: Path | str) -> tuple[Resolved, Network | SequenceNetwork]:
    """A finished run: its resolved configuration and its trained network, on the CPU.

    Args:
        folder: The run folder.

    Returns:
        The run, and the network in evaluation mode.

    Raises:
        BadInput: If the folder is not that of a finished training, a file is damaged, or the family
            or data set is that of a plug-in that is not loaded.

    Examples:
        >>> run, net = load_run("runs/resnet-dense-swiss_roll-L64-s0-0a1b2c3d4e5f")
        >>> net(torch.zeros(1, 2)).shape
        torch.Size([1, 2])
    """
    options = RunFolder(Path(folder)).options()
    if "study" in options:
        raise BadInput(f"{folder}: a study, not a training; it has no network")
    run = resolve_stored(options)
    return run, load_trained_network(run, Path(folder)).eval()


def load_trained_network(run: Resolved, folder: Path) -> Network | SequenceNetwork:
    """The network of a finished run, with its trained weights, on the CPU.

    Args:
        run: The resolved configuration.
        folder: The run folder.

    Raises:
        BadInput: If the weights are missing or damaged.
    """
    weights = RunFolder(folder).read_artefact(WEIGHTS)
    if weights is None:
        raise BadInput(f"{folder / WEIGHTS}: missing; run the command of this run again")
    net = build_network(run, run.dataset.facts)
    net.load_state_dict(torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True))
    return net
