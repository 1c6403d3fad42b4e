"""The nets that are trained, as the mappings that a run is made of. Nothing of the paper's settings
is known: every number is our choice.

How each was chosen, on validation and with seeds outside the tables, stands in README.md beside
this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stablenets.claims.work import Training

from .nets import matched, parameters

SILENT = {"every": 0, "spectrum_examples": 0}

# psMNIST and its like, by whose pixels they are: batch, share of warm-up, label smoothing and
# rates, `longer` those of more than one epoch where they differ, and the options of roaRNN.
PIXELS: dict[str, dict[str, Any]] = {
    "digits": {
        "batch": 32,
        "warmup": 0.3,
        "smoothing": 0.0,
        "lr": {"roarnn": 0.01, "lstm": 0.03, "gru": 0.03, "rnn": 0.003},
        "roarnn": {"beta_scaling": "fixed", "alpha": 0.97, "beta": 0.3, "input_scale": 2.0},
    },
    "mnist": {
        "batch": 64,
        "warmup": 0.1,
        "smoothing": 0.1,
        "lr": {"roarnn": 0.01, "lstm": 0.03, "gru": 0.01, "rnn": 0.001},
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
# A hidden layer reads the last state of the roaRNN, which begins as a linear memory; the rest as
# above.
READ = {
    "digits": {
        "net.head_hidden": 64,
        "net.gain": 0.0,
        "optim.lr": 0.01,
        "optim.label_smoothing": 0.1,
    },
    "mnist": {"net.head_hidden": 512, "net.gain": 0.0, "optim.lr": 0.003},
}
# Memory. W begins at 0 and U writes only where an input calls: see README.md.
ADDING = {
    "activation": "relu",
    "filter": "haar_fixed_axis",
    "beta_scaling": "fixed",
    "alpha": 1.0,
    "beta": 0.025,
    "input_scale": 40.0,
    "input_init": "uniform",
    "bias_init": -48.0,
    "gain": 0.0,
}
COPY = {
    "activation": "relu",
    "filter": "haar_no_fixed_axis",
    "beta_scaling": "depth",
    "alpha": 1.0,
    "beta": 1.0,
    "input_init": "uniform",
    "gain": 0.0,
}
MEMORY_OPTIM = {
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
# Copying begins with errors in thousands of blanks: at 0.95 Adam has forgotten their gradients when
# the ten symbols' turn comes.
MEMORY_BETA2 = {"adding": 0.999, "copy": 0.95}


def overridden(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with what `changes` says, whose keys lead into groups as on the command line:
    {"net.alpha": 1.0, "batch": 64}.
    """
    found = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in values.items()
    }
    for key, value in changes.items():
        group, _, name = key.rpartition(".")
        (found.setdefault(group, {}) if group else found)[name] = value
    return found


def of_pixels(dataset: str) -> str:
    """Whose pixels a data set of sequences shows."""
    return "mnist" if dataset.endswith("mnist") else "digits"


def pixels(
    dataset: str, family: str, width: int, seed: int, epochs: int, **overrides: Any
) -> Training:
    """A net that reads images pixel by pixel: psmnist, smnist, psdigits or sdigits. `overrides`
    have keys as `net.alpha` and `optim.lr`.
    """
    chosen = PIXELS[of_pixels(dataset)]
    lr = chosen["lr"] | chosen.get("longer", {}) if epochs > 1 else chosen["lr"]
    return Training(
        overridden(
            {
                "dataset": {"name": dataset},
                "epochs": epochs,
                "batch": chosen["batch"],
                "net": {"family": family, "widths": [width], **chosen.get(family, {})},
                "optim": {
                    "name": "adam",
                    "lr": lr[family],
                    "schedule": "onecycle",
                    "warmup": chosen["warmup"],
                    "clip_norm": 1.0,
                    "label_smoothing": chosen["smoothing"],
                },
                "probe": SILENT,
                "seed": seed,
            },
            overrides,
        ),
        keep=("epoch", "train_loss", "validation_accuracy", "test_accuracy"),
    )


def read(
    dataset: str, family: str, width: int, seed: int, epochs: int, **overrides: Any
) -> Training:
    """The same read by a hidden layer; of another family than roaRNN with as many trainable
    parameters as a roaRNN of `width`.
    """
    chosen = READ[of_pixels(dataset)]
    if family != "roarnn":
        width = matched(
            family,
            parameters("roarnn", width, 1, 10, chosen["net.head_hidden"]),
            1,
            10,
            chosen["net.head_hidden"],
        )
        chosen = {
            key: value
            for key, value in chosen.items()
            if key in ("net.head_hidden", "optim.label_smoothing")
        }
    return pixels(dataset, family, width, seed, epochs, **chosen, **overrides)


def memory(
    task: str, length: int, family: str, seed: int, epochs: int, steps: int, **overrides: Any
) -> Training:
    """Adding or copying over `length` steps; an epoch is `steps` steps on fresh sequences. All
    families have as many trainable parameters.
    """
    inputs, outputs, width, batch = {"adding": (2, 1, 64, 50), "copy": (10, 9, 128, 20)}[task]
    own = (
        {"adding": ADDING, "copy": COPY | {"input_scale": float(length)}}[task]
        if family == "roarnn"
        else {}
    )  # β U stays of size 1
    return Training(
        overridden(
            {
                "dataset": {"name": task, "length": length, "examples": batch * steps},
                "epochs": epochs,
                "batch": batch,
                "net": {
                    "family": family,
                    "widths": [
                        matched(
                            family, parameters("roarnn", width, inputs, outputs), inputs, outputs
                        )
                    ],
                    **own,
                },
                "optim": {
                    "name": "adam",
                    "schedule": "onecycle",
                    "clip_norm": 1.0,
                    "beta2": MEMORY_BETA2[task],
                    **MEMORY_OPTIM[task][family],
                },
                "probe": SILENT,
                "seed": seed,
                "seeds": {"split": seed},
            },
            overrides,
        ),
        keep=(
            "step",
            "train_loss",
            "validation_loss",
            "test_loss",
            "validation_accuracy",
            "test_accuracy",
        ),
    )


# The very deep nets that are not a family as it is. Of "none" and "frozen" opening and head alone
# are trained.
CHANGED = {
    "none": ("plain", {"depth": 0}),
    "frozen": ("roamlp", {"optim.frozen": ["W", "b"]}),
    "tanh": ("roamlp", {"net.activation": "tanh"}),
    "resnet": ("resnet", {"T": 1.0}),
}  # its step is 1/L, as β
DEEP_LR = {
    "digits": {
        "roamlp": 0.03,
        "tanh": 0.03,
        "frozen": 0.03,
        "none": 0.03,
        "resnet": 0.03,
        "plain": 0.03,
    },
    "mnist": {
        "roamlp": 0.03,
        "tanh": 0.01,
        "frozen": 0.01,
        "none": 0.01,
        "resnet": 0.01,
        "plain": 0.01,
    },
}


def deep(
    dataset: Mapping[str, Any],
    kind: str,
    depth: int,
    seed: int,
    epochs: int,
    lr: float | None = None,
) -> Training:
    """Very many layers on flattened images, each with its own W. `kind`, a key of nets.DEEP, has
    its own rate if no `lr` is given; width, batch and schedule are the same for all, and but for
    "tanh" the activation.
    """
    family, changes = CHANGED.get(kind, (kind, {}))
    return Training(
        overridden(
            {
                "dataset": dict(dataset),
                "depth": depth,
                "epochs": epochs,
                "batch": 64,
                "net": {"family": family, "widths": [32], "activation": "relu"},
                "optim": {
                    "name": "adam",
                    "lr": DEEP_LR[dataset["name"]][kind] if lr is None else lr,
                    "schedule": "onecycle",
                },
                "probe": {"every": 10, "depths": 24, "spectrum_examples": 0},
                "seed": seed,
            },
            changes,
        ),
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
