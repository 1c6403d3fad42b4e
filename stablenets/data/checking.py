"""Checks that the tensors of a data set are what its facts say, before any work."""

import torch
from torch import Tensor

from stablenets.data.dataset import DatasetFacts
from stablenets.errors import BadInput

# What each task needs as targets; `target_shape` has their shapes.
TARGETS = {
    "classify": (torch.int64, "a class for each example"),
    "regress": (torch.float32, "a vector of facts.outputs numbers for each example"),
    "label": (torch.int64, "a class for each time step"),
}


def target_shape(facts: DatasetFacts, count: int) -> tuple[int, ...]:
    """Return the shape of the targets of `count` examples."""
    return {
        "classify": (count,),
        "regress": (count, facts.outputs),
        "label": (count, facts.shape[0]),
    }[facts.task]


def check_examples(
    where: str, facts: DatasetFacts, inputs: Tensor, targets: Tensor, *, may_be_bytes: bool = False
) -> None:
    """Check the types and shapes of examples, and the range of their labels.

    Args:
        where: The data set and the method that returned them, for messages.
        facts: What the data set says of itself.
        inputs: (N, *shape).
        targets: Of the shape `target_shape`.
        may_be_bytes: Whether inputs may be uint8, to be scaled later.

    Raises:
        BadInput: If they differ from the facts; the message says what they are and should be.
    """
    count = len(inputs)
    if inputs.shape != (count, *facts.shape):
        raise BadInput(
            f"{where} inputs {tuple(inputs.shape)}: facts.shape={facts.shape} needs"
            f" {(count, *facts.shape)}; correct facts.shape or the inputs"
        )
    if inputs.dtype != torch.float32 and not (may_be_bytes and inputs.dtype == torch.uint8):
        raise BadInput(f"{where} inputs {name_of_type(inputs)}: must be float32; use .float()")
    if inputs.dtype == torch.float32 and not (finite := inputs.isfinite()).all():
        example, *place = (~finite).nonzero()[0].tolist()
        raise BadInput(
            f"{where} inputs: entry {place} of example {example} is"
            f" {float(inputs[(example, *place)])}; leave such examples out, or fill them in"
        )
    dtype, meaning = TARGETS[facts.task]
    shape = target_shape(facts, count)
    if (targets.dtype, targets.shape) != (dtype, shape):
        raise BadInput(
            f"{where} targets {name_of_type(targets)} {tuple(targets.shape)}: facts.task="
            f"{facts.task} needs {str(dtype).removeprefix('torch.')} {shape}, {meaning}"
        )
    if dtype == torch.int64 and count:
        low, high = int(targets.min()), int(targets.max())
        if low < 0 or high >= facts.outputs:
            raise BadInput(
                f"{where} labels are {low} to {high}: facts.outputs={facts.outputs} needs 0 to"
                f" {facts.outputs - 1}; correct facts.outputs or the labels"
            )


def missing_facts(options: object) -> str:
    """The message for a data set that states no facts."""
    return (
        f"{type(options).__name__}: states no facts; set the class attribute facts ="
        " DatasetFacts(kind, shape, outputs, task)"
    )


def missing_method(options: object, signature: str, remedy: str = "") -> str:
    """The message for a data set that lacks a method, such as "read(self, settings)"."""
    return f"{type(options).__name__}: lacks a method; define {signature}{remedy}"


def check_labels(labels: Tensor) -> None:
    """Raise `BadInput` unless these labels are classes, so that examples can be stratified."""
    if labels.ndim != 1 or labels.is_floating_point() or (len(labels) and labels.min() < 0):
        raise BadInput(
            f"labels {name_of_type(labels)} {tuple(labels.shape)}: must be int64 (N,), from 0 on;"
            " targets of a regression are float32 (N, 1)"
        )


def name_of_type(tensor: Tensor) -> str:
    """The name of a tensor's type, such as float32."""
    return str(tensor.dtype).removeprefix("torch.")
