"""Checks of options that cannot go together, such as a convolutional net on planar points.

The schema has already checked each option by itself. Each check here takes a resolved run and
raises one `BadInput` line that names both options and a remedy.
"""

from __future__ import annotations

import math

from stablenets import data
from stablenets.config.defaults import net_options
from stablenets.config.options import BETA2, Net
from stablenets.config.resolved import Resolved
from stablenets.config.wandb_target import check_wandb_options
from stablenets.engine.recurrence import Recurrent
from stablenets.errors import BadInput
from stablenets.nets import Family
from stablenets.nets.assembling import layers_at_widths
from stablenets.nets.ends import HEADS, OPENINGS, PLACES
from stablenets.schema import format_value, suggest


def check_compatibility(run: Resolved) -> None:
    """Check that all options of a run can go together.

    Raises:
        BadInput: If two options cannot go together.
    """
    check_net_parts(run)
    check_net_on_data(run)
    check_net_sizes(run)
    check_opening(run)
    check_transition(run)
    check_optimiser(run)
    check_frozen(run)
    check_probe_and_device(run)
    check_levels(run)
    check_patience(run)
    check_wandb_options(run.config.wandb)
    data.check_data_options(run.dataset, run.common)


def check_unused_options(net: Net, dynamics: Family) -> None:
    """Check that every option of `net` that is given changes the family.

    Raises:
        BadInput: If an option differs from its default and has no effect.
    """
    given, defaults = vars(net) | vars(dynamics), net_options(net.family)
    for name, reason in dynamics.unused_options.items():
        if given[name] != defaults[name]:
            raise BadInput(
                f"net.{name}={format_value(given[name])}: net.family={net.family} {reason}; leave"
                f" it out, or set net.{name}={format_value(defaults[name])}"
            )


def check_net_parts(run: Resolved) -> None:
    """Check that operator, opening, head and number of units fit each other."""
    run.dynamics.check_supported(
        operator=run.net.operator,
        backward=run.config.backward,
        widths=run.net.widths,
        name=f"net.family={run.net.family}",
        prefix="net.",
    )
    given = {"opening": run.net.opening, "head": run.net.head}
    fitting = {"opening": OPENINGS[run.net.operator], "head": HEADS[run.net.operator]}
    wrong = [key for key, value in given.items() if value not in fitting[key]]
    if wrong:
        values = " ".join(f"net.{key}={given[key]}" for key in wrong)
        remedies = "; ".join(f"net.{key} is one of: {', '.join(fitting[key])}" for key in wrong)
        raise BadInput(
            f"net.operator={run.net.operator} {values}: do not fit together; for"
            f" net.operator={run.net.operator} {remedies}"
        )
    if run.net.operator == "dense" and len(run.net.widths) > 1:
        can_convolve = not run.dynamics.capabilities.dense_only
        raise BadInput(
            f"net.widths={run.net.widths}: a dense net has one unit; give one width"
            + (", or set net.operator=conv" if can_convolve else "")
        )


def check_net_on_data(run: Resolved) -> None:
    """Check that sequences have a recurrent family, and a convolutional net has images."""
    facts, net = run.dataset.facts, run.net
    recurrent = isinstance(run.dynamics, Recurrent)
    if recurrent and facts.kind != "sequence":
        raise BadInput(
            f"net.family={net.family}: reads sequences, and dataset.name={run.dataset_name} is"
            f" {facts.kind} data; use a sequence (dataset=psdigits, adding, ...) or another family"
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
    """Check that widths suit the family and do not shrink, and units have layers and images."""
    net, depth, shape = run.net, run.config.depth, run.dataset.facts.shape
    try:
        run.dynamics.at_depth(depth)
    except BadInput as error:
        raise BadInput(f"net.{error}") from None
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
    if net.operator == "conv" and min(shape[1:]) < 2 ** (len(net.widths) - 1):
        raise BadInput(
            f"net.widths={net.widths}: {len(net.widths)} units halve the {shape[1]}x{shape[2]}"
            f" images of dataset.name={run.dataset_name} away; use at most"
            f" {int(math.log2(min(shape[1:]))) + 1} units"
        )
    if net.transition == "strided_first_block":
        for unit in range(len(net.widths) - 1):
            if any(size // 2**unit % 2 for size in shape[1:]):
                raise BadInput(
                    f"net.widths={net.widths}: images of unit {unit + 1} have an odd size, which"
                    " net.transition=strided_first_block cannot halve; use at most"
                    f" {unit + 1} units"
                )


def check_opening(run: Resolved) -> None:
    """Check that an opening without weights can place the inputs in the first state."""
    net, shape = run.net, run.dataset.facts.shape
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


def check_transition(run: Resolved) -> None:
    """Check that the family has the block between units, and each unit a layer at its width."""
    net = run.net
    if net.transition == "strided_first_block" and not run.dynamics.capabilities.has_strided_block:
        raise BadInput(
            f"net.transition=strided_first_block: net.family={net.family} has no strided block; "
            "use net.transition=before_first_block or net.transition=after_first_block"
        )
    for unit, count in enumerate(layers_at_widths(net.blocks, net.transition), 1):
        if count < 1 and run.config.depth:
            raise BadInput(
                f"net.blocks={net.blocks}: with net.transition={net.transition} the first block of"
                f" unit {unit} comes before its width is reached, and there is no other; give it 2,"
                f" or use depth>={2 * len(net.blocks)}"
            )


def check_optimiser(run: Resolved) -> None:
    """Check that the options of the optimiser suit the optimiser, the loss and the family."""
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
        raise BadInput(f"optim.milestones={optim.milestones}: give the fractions in rising order")
    if optim.label_smoothing and run.dataset.facts.task == "regress":
        raise BadInput(
            f"optim.label_smoothing={optim.label_smoothing}: dataset.name={run.dataset_name} has no"
            " classes; set optim.label_smoothing=0"
        )
    if optim.smoothness and run.dynamics.capabilities.order is None:
        raise BadInput(
            f"optim.smoothness={optim.smoothness}: net.family={run.net.family} has no time to be"
            " smooth in; set optim.smoothness=0"
        )


def check_frozen(run: Resolved) -> None:
    """Check that optim.frozen names tensors that the family learns."""
    learned = run.dynamics.learned_names
    for name in run.config.optim.frozen:
        if name not in learned:
            raise BadInput(
                f"optim.frozen=[{name}]: no learned tensor of the layers of"
                f" net.family={run.net.family}; {suggest(name, learned, 'one of')}"
            )


def check_probe_and_device(run: Resolved) -> None:
    """Check that probed epochs lie within the run, and the device has a known form."""
    config, epochs = run.config, run.config.probe.spectrum_epochs
    if max(epochs, default=0) > config.epochs:
        raise BadInput(
            f"probe.spectrum_epochs={epochs}: epoch {max(epochs)} is beyond epochs={config.epochs}"
        )
    if config.device not in ("auto", "cpu", "cuda") and not (
        config.device.startswith("cuda:") and config.device[5:].isdigit()
    ):
        raise BadInput(f"device={config.device}: one of: auto, cpu, cuda, cuda:N")


def check_levels(run: Resolved) -> None:
    """Check that weights can be interpolated, and the depth can be halved often enough."""
    count, parts = run.config.levels, 2**run.config.levels
    if count and run.dynamics.capabilities.order is None:
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


def check_patience(run: Resolved) -> None:
    """Check that there is a validation loss if `patience` waits for it."""
    if run.config.patience is not None and not run.common.validation_fraction:
        raise BadInput(
            f"patience={run.config.patience}: dataset.validation_fraction=0 leaves no examples for"
            " a validation loss; set dataset.validation_fraction=0.1, or patience=null"
        )
