"""What can and cannot go together: dataset with net, net with flow, optimiser with its settings.

Each rule looks at a configuration whose values are each right on their own and raises one
`BadInput` line when a pair cannot work.
"""

from __future__ import annotations

import math

import torch

from stablenets import data
from stablenets.config.options import BETA2
from stablenets.config.resolved import Resolved
from stablenets.engine.dynamics import Dynamics
from stablenets.engine.norms import PARTS
from stablenets.engine.recurrence import Recurrent
from stablenets.errors import BadInput
from stablenets.nets.assembling import HEADS, OPENINGS, PLACES, layers_at_widths
from stablenets.schema import suggest


def check_compatibility(run: Resolved) -> None:
    for rule in (
        check_net_parts,
        check_net_on_data,
        check_net_sizes,
        check_transition,
        check_backward,
        check_optimiser,
        check_frozen,
        check_probe_and_device,
        check_levels,
    ):
        rule(run)
    data.check_data_options(run.dataset, run.common)


def check_net_parts(run: Resolved) -> None:
    if run.net.operator != "dense" and run.dynamics.dense_only:
        raise BadInput(
            f"net.operator={run.net.operator}: net.family={run.net.family} has no convolutional"
            " form; use net.operator=dense with net.opening=linear net.head=linear"
        )
    for key, kinds in (("opening", OPENINGS), ("head", HEADS)):
        value = getattr(run.net, key)
        if value not in kinds[run.net.operator]:
            raise BadInput(
                f"net.{key}={value}: does not fit net.operator={run.net.operator}; one of:"
                f" {', '.join(kinds[run.net.operator])}"
            )
    if run.net.operator == "dense" and len(run.net.widths) > 1:
        raise BadInput(
            f"net.widths={run.net.widths}: a dense net has one unit; give one width, or set"
            " net.operator=conv"
        )


def check_net_on_data(run: Resolved) -> None:
    facts, net = run.dataset.facts, run.net
    recurrent = isinstance(run.dynamics, Recurrent)
    if recurrent and facts.kind != "sequence":
        raise BadInput(
            f"net.family={net.family}: reads sequences, and dataset.name={run.dataset_name} is"
            f" {facts.kind} data; use a sequence (dataset=psdigits, adding, ...) or another family"
        )
    if recurrent and (net.opening, net.head) != ("linear", "linear"):
        raise BadInput(
            f"net.opening={net.opening} net.head={net.head}: net.family={net.family} reads its"
            " inputs and is read by linear maps; use net.opening=linear net.head=linear"
        )
    if facts.kind == "sequence" and not recurrent:
        raise BadInput(
            f"dataset.name={run.dataset_name}: a sequence needs a recurrent family; "
            f"net.family={net.family} takes points, feature vectors and images"
        )
    if net.operator == "conv" and facts.kind != "image":
        raise BadInput(
            f"net.operator=conv: dataset.name={run.dataset_name} is {facts.kind} data, not images;"
            " set net.operator=dense with net.opening=linear net.head=linear, or choose an image"
            " dataset"
        )


def check_net_sizes(run: Resolved) -> None:
    net, depth, shape = run.net, run.config.depth, run.dataset.facts.shape
    run.dynamics.at_depth(depth)  # says itself what cannot be
    for width in net.widths:
        if why := run.dynamics.refuses(width):
            raise BadInput(f"width={width}: net.family={net.family} {why}")
    if depth < len(net.widths) > 1:
        raise BadInput(
            f"depth={depth}: fewer layers than the {len(net.widths)} units of"
            f" net.widths={net.widths}; use depth>={len(net.widths)}"
        )
    if net.widths != sorted(net.widths):
        raise BadInput(
            f"net.widths={net.widths}: channels are added by zero-padding and cannot shrink; "
            "give the widths in rising order"
        )
    size = shape[0] if net.operator == "conv" else math.prod(shape)
    if net.opening in PLACES and size != 2:
        raise BadInput(
            f"net.opening={net.opening}: places two inputs and dataset.name={run.dataset_name} has"
            f" {math.prod(shape)}; use net.opening=pad or net.opening=linear"
        )
    if (net.opening.startswith("pad") or net.opening in PLACES) and net.widths[0] < size:
        raise BadInput(
            f"width={net.widths[0]}: net.opening={net.opening} cannot hold the {size} inputs of "
            f"dataset.name={run.dataset_name}; use width>={size} or a learned opening"
        )
    if net.operator == "conv" and min(shape[1:]) < 2 ** (len(net.widths) - 1):
        raise BadInput(
            f"net.widths={net.widths}: {len(net.widths)} units halve the {shape[1]}x{shape[2]}"
            f" images of dataset.name={run.dataset_name} away; use at most"
            f" {int(math.log2(min(shape[1:]))) + 1} units"
        )


def check_transition(run: Resolved) -> None:
    net = run.net
    if net.transition == "strided_first_block" and not run.dynamics.has_strided:
        raise BadInput(
            f"net.transition=strided_first_block: net.family={net.family} has no strided block; "
            "use net.transition=before_first_block or net.transition=after_first_block"
        )
    short = [
        unit
        for unit, count in enumerate(layers_at_widths(net.blocks, net.transition), 1)
        if count < 1
    ]
    if short and run.config.depth:
        raise BadInput(
            f"net.blocks={net.blocks}: with net.transition={net.transition} the first block of unit"
            f" {short[0]} comes before its width is reached, and there is no other; give it 2, or"
            f" use depth>={2 * len(net.blocks)}"
        )


def check_backward(run: Resolved) -> None:
    if run.config.backward == "reverse" and not run.dynamics.reversible:
        raise BadInput(
            f"backward=reverse: net.family={run.net.family} has no inverse; use backward=store or"
            " backward=checkpoint"
        )


def check_optimiser(run: Resolved) -> None:
    optim = run.config.optim
    if optim.momentum and optim.name != "sgd":
        raise BadInput(
            f"optim.momentum={optim.momentum}: belongs to optim.name=sgd, not {optim.name}; set"
            " optim.momentum=0 or optim=sgd"
        )
    if optim.beta2 != BETA2 and optim.name == "sgd":
        raise BadInput(
            f"optim.beta2={optim.beta2}: belongs to optim.name=adam and adamw, not sgd; leave it"
            " out or use optim=adam"
        )
    if optim.milestones != sorted(optim.milestones):
        raise BadInput(f"optim.milestones={optim.milestones}: give the shares in rising order")
    if optim.label_smoothing and run.dataset.facts.task == "regress":
        raise BadInput(
            f"optim.label_smoothing={optim.label_smoothing}: dataset.name={run.dataset_name} has no"
            " classes; set optim.label_smoothing=0"
        )
    if optim.smoothness and run.dynamics.order is None:
        raise BadInput(
            f"optim.smoothness={optim.smoothness}: net.family={run.net.family} has no time to be"
            " smooth in; set optim.smoothness=0"
        )


def check_frozen(run: Resolved) -> None:
    learned = learned_names(run.dynamics)
    for name in run.config.optim.frozen:
        if name not in learned:
            raise BadInput(
                f"optim.frozen=[{name}]: no learned tensor of the layers of"
                f" net.family={run.net.family}; {suggest(name, learned, 'one of')}"
            )


def learned_names(dynamics: Dynamics | Recurrent) -> list[str]:
    """Of the learned tensors of a layer."""
    if isinstance(dynamics, Recurrent):
        with torch.random.fork_rng(devices=()):
            return list(dynamics.learned(1, 1, 1.0))
    return [
        *dynamics.operators,
        *dynamics.biases,
        *(f"{part}_{norm}" for norm in dynamics.norms for part in PARTS),
    ]


def check_probe_and_device(run: Resolved) -> None:
    config = run.config
    if beyond := [epoch for epoch in config.probe.spectrum_epochs if epoch > config.epochs]:
        raise BadInput(
            f"probe.spectrum_epochs={config.probe.spectrum_epochs}: epoch {beyond[0]} is beyond"
            f" epochs={config.epochs}"
        )
    if config.device not in ("auto", "cpu", "cuda") and not (
        config.device.startswith("cuda:") and config.device[5:].isdigit()
    ):
        raise BadInput(f"device={config.device}: one of: auto, cpu, cuda, cuda:N")


def check_levels(run: Resolved) -> None:
    count, parts = run.config.levels, 2**run.config.levels
    if count and run.dynamics.order is None:
        raise BadInput(
            f"levels={count}: net.family={run.net.family} has no time in which its weights could be"
            " interpolated; set levels=0"
        )
    if count and any(blocks % parts or not blocks for blocks in run.net.blocks):
        shown = (
            f"depth={run.config.depth}"
            if len(run.net.blocks) == 1
            else f"net.blocks={run.net.blocks}"
        )
        raise BadInput(
            f"levels={count}: {shown} cannot be halved {count} times; give each unit a multiple of"
            f" {parts} layers, or lower levels"
        )
    if run.coarser is not None:
        try:
            check_compatibility(run.coarser)
        except BadInput as error:
            raise BadInput(f"levels={count}: at half the depth {error}") from None
