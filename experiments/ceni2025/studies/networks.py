"""The networks that are trained, as runs, with the settings that were chosen.

No setting of the paper is known: every number here is our choice. settings.md says how each was
chosen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from stablenets.claims.work import Training

NO_PROBES = {"every": 0, "spectrum_examples": 0}
FAMILIES = ("roarnn", "lstm", "gru", "rnn")
DEVISED = ("antisymmetric_rnn", "cornn", "exprnn")  # others against vanishing gradients

# Networks that read images pixel by pixel, by whose pixels they are: MNIST's or the digits'.
# `longer` holds the rates of more than one epoch where they differ.
PIXELS: dict[str, dict[str, Any]] = {
    "digits": {
        "batch": 32,
        "warmup": 0.3,
        "smoothing": 0.0,
        "rates": {"roarnn": 0.01, "lstm": 0.03, "gru": 0.03, "rnn": 0.003}
        | dict.fromkeys(DEVISED, 0.01),
        "longer": {},
        "roarnn": {"beta_scaling": "fixed", "alpha": 0.97, "beta": 0.3, "input_scale": 2.0},
    },
    "mnist": {
        "batch": 64,
        "warmup": 0.1,
        "smoothing": 0.1,
        "rates": {"roarnn": 0.01, "lstm": 0.03, "gru": 0.01, "rnn": 0.001}
        | dict.fromkeys(DEVISED, 0.01),  # not chosen yet: group `devised_rates`
        "longer": {"lstm": 0.01},
        "roarnn": {
            "beta_scaling": "fixed",
            "alpha": 0.999,
            "beta": 0.05,
            "input_scale": 3.0,
            "gain": 0.2,
            "activation": "relu",
        },
    },
}
# What differs if a hidden layer reads the last state. The roaRNN begins as a linear memory (W = 0).
HIDDEN_UNITS = {"digits": 64, "mnist": 512}
HIDDEN_READOUT: dict[str, dict[str, Any]] = {
    "digits": {"net.gain": 0.0, "optim.lr": 0.01},
    "mnist": {"net.gain": 0.0, "optim.lr": 0.003},
}
SMOOTHING_OF_HIDDEN = 0.1

# Memory tasks. W is 0 at first, and U writes only what an input marks.
WRITING: dict[str, dict[str, Any]] = {
    "adding": {
        "activation": "relu",
        "filter": "haar_fixed_axis",
        "beta_scaling": "fixed",
        "alpha": 1.0,
        "beta": 0.025,
        "input_scale": 40.0,
        "input_init": "uniform",
        "bias_init": -48.0,
        "gain": 0.0,
    },
    "copy": {
        "activation": "relu",
        "filter": "haar_no_fixed_axis",
        "beta_scaling": "depth",
        "alpha": 1.0,
        "beta": 1.0,
        "input_init": "uniform",
        "gain": 0.0,
    },
}
TASKS = {  # inputs, outputs, width of the roaRNN, batch
    "adding": (2, 1, 64, 50),
    "copy": (10, 9, 128, 20),
}
MEMORY_OPTIM: dict[str, dict[str, dict[str, float]]] = {
    "adding": {
        "roarnn": {"lr": 0.06, "warmup": 0.1},
        "lstm": {"lr": 0.06},
        "gru": {"lr": 0.06},
        "rnn": {"lr": 0.003},
    },
    "copy": {
        "roarnn": {"lr": 0.03, "warmup": 0.1},
        "lstm": {"lr": 0.03},
        "gru": {"lr": 0.03},
        "rnn": {"lr": 0.03},
    },
}
# Copying begins with errors in thousands of blanks. With 0.95 Adam has forgotten their gradients
# when only the ten symbols are still wrong.
MEMORY_BETA2 = {"adding": 0.999, "copy": 0.95}

# Very deep networks: family and what is changed. "none" and "frozen" train opening and head only.
# The step of the ResNet is 1/L, as β.
DEEP: dict[str, tuple[str, dict[str, Any]]] = {
    "roamlp": ("roamlp", {}),
    "tanh": ("roamlp", {"net.activation": "tanh"}),
    "frozen": ("roamlp", {"optim.frozen": ["W", "b"]}),
    "none": ("plain", {"depth": 0}),
    "resnet": ("resnet", {"T": 1.0}),
    "plain": ("plain", {}),
}
DEEP_RATES = {  # chosen by validation: table `deep_rates`
    "digits": dict.fromkeys(DEEP, 0.03),
    "mnist": dict.fromkeys(DEEP, 0.01) | {"roamlp": 0.03},
}
# Factors of H², H and H d in the number of trainable parameters, for H units and d inputs. A skew
# matrix has H (H - 1) / 2. Other families have one matrix, one bias and one map of the inputs.
SIZES = {
    "lstm": (4, 8, 4),
    "gru": (3, 6, 3),
    "antisymmetric_rnn": (0.5, 0.5, 1),
    "gated_antisymmetric_rnn": (0.5, 1.5, 2),
    "cornn": (2, 1, 1),
    "exprnn": (0.5, 0.5, 1),
}
ONE_OF_EACH = (1, 1, 1)


def count_parameters(family: str, width: int, inputs: int, outputs: int, hidden: int = 0) -> int:
    """The trainable parameters of a recurrent network; the filter is fixed and not among them.

    Args:
        family: The family.
        width: Units of the recurrence.
        inputs: Features of a time step.
        outputs: Outputs of the readout.
        hidden: Units of a hidden layer in the readout; 0 for none.
    """
    square, linear, by_input = SIZES.get(family, ONE_OF_EACH)
    head = hidden * (width + 1) + outputs * (hidden + 1) if hidden else outputs * (width + 1)
    return int(width * (square * width + linear + by_input * inputs)) + head


def matched_width(
    family: str, roarnn_width: int, inputs: int, outputs: int, hidden: int = 0
) -> int:
    """The width at which a family has about as many trainable parameters as a roaRNN."""

    def count(width: int) -> int:
        return count_parameters(family, width, inputs, outputs, hidden)

    wanted = count_parameters("roarnn", roarnn_width, inputs, outputs, hidden)
    square = SIZES.get(family, ONE_OF_EACH)[0]
    linear = count(1) - count(0) - square
    root = (math.sqrt(linear**2 + 4 * square * (wanted - count(0))) - linear) / (2 * square)
    return min(math.floor(root), math.ceil(root), key=lambda width: abs(count(width) - wanted))


def with_changes(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a run with changes, whose keys are those of the command line: `net.alpha`."""
    found = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in values.items()
    }
    for key, value in changes.items():
        group, _, name = key.rpartition(".")
        (found.setdefault(group, {}) if group else found)[name] = value
    return found


def pixel_source(dataset: str) -> str:
    """Whose pixels a data set of sequences shows: a key of PIXELS."""
    return "mnist" if dataset.endswith("mnist") else "digits"


def pixel_run(
    dataset: str,
    family: str,
    width: int,
    seed: int,
    epochs: int,
    changes: Mapping[str, Any] | None = None,
    has_hidden_layer: bool = False,
) -> Training:
    """A network that reads images pixel by pixel.

    Args:
        dataset: psmnist, smnist, psdigits or sdigits.
        family: The family.
        width: The width of the roaRNN. Other families are as wide as it takes to have as many
            trainable parameters.
        seed: The seed.
        epochs: Epochs.
        changes: Options that differ from the chosen ones, as in `with_changes`.
        has_hidden_layer: Whether a hidden layer reads the last state, instead of an affine map.
    """
    source = pixel_source(dataset)
    chosen = PIXELS[source]
    rates = chosen["rates"] | (chosen["longer"] if epochs > 1 else {})
    hidden = HIDDEN_UNITS[source] if has_hidden_layer else 0
    read: dict[str, Any] = {}
    if has_hidden_layer:
        read = {"net.head_hidden": hidden, "optim.label_smoothing": SMOOTHING_OF_HIDDEN}
        read |= HIDDEN_READOUT[source] if family == "roarnn" else {}
    values = {
        "dataset": {"name": dataset},
        "epochs": epochs,
        "batch": chosen["batch"],
        "net": {
            "family": family,
            "widths": [matched_width(family, width, 1, 10, hidden)],
            **chosen.get(family, {}),
        },
        "optim": {
            "name": "adam",
            "lr": rates[family],
            "schedule": "onecycle",
            "warmup": chosen["warmup"],
            "clip_norm": 1.0,
            "label_smoothing": chosen["smoothing"],
        },
        "probe": NO_PROBES,
        "seed": seed,
    }
    return Training(
        with_changes(values, read | dict(changes or {})),
        keep=("epoch", "train_loss", "validation_accuracy", "test_accuracy"),
    )


def memory_run(
    task: str,
    length: int,
    family: str,
    seed: int,
    epochs: int,
    steps: int,
    changes: Mapping[str, Any] | None = None,
) -> Training:
    """A network that adds two marked numbers or copies ten symbols.

    All families have about as many trainable parameters.

    Args:
        task: adding or copy.
        length: Time steps between the first input and the answer.
        family: The family.
        seed: The seed, also of the sequences.
        epochs: Epochs.
        steps: Training steps in an epoch, each on fresh sequences.
        changes: Options that differ from the chosen ones, as in `with_changes`.
    """
    inputs, outputs, width, batch = TASKS[task]
    own = dict(WRITING[task]) if family == "roarnn" else {}
    if own and task == "copy":
        own["input_scale"] = float(length)  # β U stays of size 1
    values = {
        "dataset": {"name": task, "length": length, "examples": batch * steps},
        "epochs": epochs,
        "batch": batch,
        "net": {
            "family": family,
            "widths": [matched_width(family, width, inputs, outputs)],
            **own,
        },
        "optim": {
            "name": "adam",
            "schedule": "onecycle",
            "clip_norm": 1.0,
            "beta2": MEMORY_BETA2[task],
            **MEMORY_OPTIM[task][family],
        },
        "probe": NO_PROBES,
        "seed": seed,
        "seeds": {"split": seed},
    }
    curves = [
        f"{split}_{what}" for split in ("validation", "test") for what in ("loss", "accuracy")
    ]
    return Training(
        with_changes(values, changes or {}), keep=("step", "train_loss", *sorted(curves))
    )


def deep_run(
    dataset: Mapping[str, Any],
    kind: str,
    depth: int,
    seed: int,
    epochs: int,
    lr: float | None = None,
) -> Training:
    """A very deep network on flattened images, with W of its own in each layer.

    Width, batch, schedule and, but for "tanh", activation are the same for all.

    Args:
        dataset: Options of the data set.
        kind: A key of DEEP.
        depth: Layers.
        seed: The seed.
        epochs: Epochs.
        lr: The learning rate; None for that of the kind.
    """
    family, changes = DEEP[kind]
    values = {
        "dataset": dict(dataset),
        "depth": depth,
        "epochs": epochs,
        "batch": 64,
        "net": {"family": family, "widths": [32], "activation": "relu"},
        "optim": {
            "name": "adam",
            "lr": lr or DEEP_RATES[dataset["name"]][kind],
            "schedule": "onecycle",
        },
        "probe": {"every": 10, "depths": 24, "spectrum_examples": 0},
        "seed": seed,
    }
    return Training(
        with_changes(values, changes),
        keep=(
            *("steps", "depths", "loss", "state_gradients", "layers", "weight_gradients"),
            *("epoch", "train_loss", "validation_accuracy", "test_accuracy"),
        ),
    )
