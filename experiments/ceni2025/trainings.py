"""The training runs of all networks, with their chosen settings.

No setting of the paper is known, so every number here is our choice. settings.md says how each one
was chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stablenets.claims.work import Training

from .parameters import matched_width

NO_PROBES = {"every": 0, "spectrum_examples": 0}
FAMILIES = ("roarnn", "lstm", "gru", "rnn")
# Recurrent networks of other authors that were devised against vanishing gradients.
DEVISED = ("antisymmetric_rnn", "cornn", "exprnn")

# Settings of networks that read images pixel by pixel, by the source of the pixels. `rates` holds
# the learning rate of each family; `longer` holds those that differ in runs of several epochs.
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
        | dict.fromkeys(DEVISED, 0.01),  # not tuned yet; group `devised_rates` does it
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
# Settings that differ if the readout has a hidden layer. The roaRNN then starts as a linear memory:
# W = 0, from `net.gain`.
HIDDEN_UNITS = {"digits": 64, "mnist": 512}
HIDDEN_READOUT: dict[str, dict[str, Any]] = {
    "digits": {"net.gain": 0.0, "optim.lr": 0.01},
    "mnist": {"net.gain": 0.0, "optim.lr": 0.003},
}
HIDDEN_LABEL_SMOOTHING = 0.1

# Options of the roaRNN on memory tasks. W starts at 0. U starts so that only marked inputs change
# the state.
MEMORY_ROARNN: dict[str, dict[str, Any]] = {
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
# Inputs, outputs, width of the roaRNN and batch of each memory task.
TASKS = {
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
# The copying task starts with errors in thousands of blanks; later only the ten symbols are wrong.
# With beta2 = 0.95, Adam has forgotten the large gradients of the blanks by then.
MEMORY_BETA2 = {"adding": 0.999, "copy": 0.95}

# Very deep networks: the family, and the options that differ from `deep_run`. "none" and "frozen"
# train only the first layer and the readout. The step of the ResNet is 1/L, equal to the β of the
# roaMLP.
DEEP: dict[str, tuple[str, dict[str, Any]]] = {
    "roamlp": ("roamlp", {}),
    "tanh": ("roamlp", {"net.activation": "tanh"}),
    "frozen": ("roamlp", {"optim.frozen": ["W", "b"]}),
    "none": ("plain", {"depth": 0}),
    "resnet": ("resnet", {"T": 1.0}),
    "plain": ("plain", {}),
}
# Learning rates, chosen on validation data (table `deep_rates`).
DEEP_RATES = {
    "digits": dict.fromkeys(DEEP, 0.03),
    "mnist": dict.fromkeys(DEEP, 0.01) | {"roamlp": 0.03},
}


def with_changes(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the options of a run with some of them changed.

    Args:
        values: The options, grouped: {"net": {"alpha": 1.0}}.
        changes: The new values by the keys of the command line: {"net.alpha": 0.9}.
    """
    changed = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in values.items()
    }
    for key, value in changes.items():
        group, _, name = key.rpartition(".")
        options = changed.setdefault(group, {}) if group else changed
        options[name] = value
    return changed


def pixel_source(dataset: str) -> str:
    """Return the key of PIXELS for a data set of sequences: "mnist" or "digits"."""
    return "mnist" if dataset.endswith("mnist") else "digits"


def pixel_rate(dataset: str, family: str, epochs: int) -> float:
    """Return the chosen learning rate of a network on pixels with an affine readout."""
    chosen = PIXELS[pixel_source(dataset)]
    return (chosen["rates"] | (chosen["longer"] if epochs > 1 else {}))[family]


def pixel_run(
    dataset: str,
    family: str,
    width: int,
    seed: int,
    epochs: int,
    changes: Mapping[str, Any] | None = None,
    has_hidden_layer: bool = False,
) -> Training:
    """Return the training run of a network that reads images pixel by pixel.

    Args:
        dataset: psmnist, smnist, psdigits or sdigits.
        family: The family.
        width: The width of the roaRNN. Another family gets the width at which it has about as many
            trainable parameters.
        seed: The seed.
        epochs: Epochs.
        changes: Options that differ from the chosen ones, as in `with_changes`.
        has_hidden_layer: Whether the readout of the last state has a hidden layer. Otherwise it is
            affine.
    """
    source = pixel_source(dataset)
    chosen = PIXELS[source]
    hidden = HIDDEN_UNITS[source] if has_hidden_layer else 0
    readout: dict[str, Any] = {}
    if has_hidden_layer:
        readout = {"net.head_hidden": hidden, "optim.label_smoothing": HIDDEN_LABEL_SMOOTHING}
        readout |= HIDDEN_READOUT[source] if family == "roarnn" else {}
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
            "lr": pixel_rate(dataset, family, epochs),
            "schedule": "onecycle",
            "warmup": chosen["warmup"],
            "clip_norm": 1.0,
            "label_smoothing": chosen["smoothing"],
        },
        "probe": NO_PROBES,
        "seed": seed,
    }
    return Training(
        with_changes(values, readout | dict(changes or {})),
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
    """Return the training run of a network that adds two marked numbers or copies ten symbols.

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
    options = dict(MEMORY_ROARNN[task]) if family == "roarnn" else {}
    if options and task == "copy":
        options["input_scale"] = float(length)  # β is about 1 / length, so β U has size 1
    values = {
        "dataset": {"name": task, "length": length, "examples": batch * steps},
        "epochs": epochs,
        "batch": batch,
        "net": {
            "family": family,
            "widths": [matched_width(family, width, inputs, outputs)],
            **options,
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
    curves = ("test_accuracy", "test_loss", "validation_accuracy", "validation_loss")
    return Training(with_changes(values, changes or {}), keep=("step", "train_loss", *curves))


def deep_run(
    dataset: Mapping[str, Any],
    kind: str,
    depth: int,
    seed: int,
    epochs: int,
    lr: float | None = None,
) -> Training:
    """Return the training run of a very deep network on flattened images.

    Each layer has its own W. All kinds share width, batch and schedule, and the activation ReLU
    except for "tanh".

    Args:
        dataset: Options of the data set.
        kind: A key of DEEP.
        depth: Layers.
        seed: The seed.
        epochs: Epochs.
        lr: The learning rate; None for the chosen one, see DEEP_RATES.
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
            "steps",
            "depths",
            "loss",
            "state_gradients",
            "layers",
            "weight_gradients",
            "epoch",
            "train_loss",
            "validation_accuracy",
            "test_accuracy",
        ),
    )
