"""The nets of the paper's main table on CIFAR-10: a search of settings, and a check of precision.

The recipe is 80,000 steps of 100 images, crop and flip, rate x 0.1 after 1/2 and 3/4 of the steps.
Shorter runs drop the rate after the same fractions of their own steps.
"""

from __future__ import annotations

import math
from typing import Any

from stablenets.claims.work import Training

from .settings import BATCH, IMAGES, chosen, trained

NETS = ("hamiltonian_74", "resnet_32", "revnet_38", "midpoint_26", "leapfrog_26")
REVERSIBLE_NETS = ("hamiltonian_74", "midpoint_26", "leapfrog_26")
SEARCH_STEPS = 2_000
SEARCH_SEED = 1000  # no seed of the tables has a say in the settings
SEARCH_HELD_OUT = 0.2  # 10,000 validation images; five epochs of the others are 2,000 steps
STEP_SIZES, RATES = (0.1, 0.25, 0.5, 1.0), (0.03, 0.1, 0.2, 0.4)
PRECISION = "bfloat16_fused"
EVALUATIONS = 20  # points of a curve of test accuracy
# Gradient norms at the first and the last step, and a spectrum before and after training.
ENDS = {"every": 1_000_000, "depths": 64, "spectrum_examples": 1}


def search() -> list[Training]:
    """Runs that choose a setting for each net by validation, among four settings each."""
    return [
        cifar(
            net,
            "cifar10",
            SEARCH_SEED,
            SEARCH_STEPS,
            held_out=SEARCH_HELD_OUT,
            evaluations=1,
            probe={"every": 0, "spectrum_examples": 0},
            **setting,
        )
        for net in NETS
        for setting in search_settings(net)
    ]


def precisions() -> list[Training]:
    """Pairs of runs that differ in precision only: float32, and the precision of long runs."""
    settings = {"resnet_32": {"lr": 0.1}, "hamiltonian_74": {"lr": 0.1, "h": 0.1}}
    return [
        cifar(net, "cifar10", seed, SEARCH_STEPS, evaluations=1, precision=precision, **setting)
        for net, setting in settings.items()
        for seed in (0, 1, 2)
        for precision in ("float32", PRECISION)
    ]


def search_settings(net: str) -> list[dict[str, Any]]:
    """Four step sizes at rate 0.1 for a reversible net, four learning rates for another."""
    if net in REVERSIBLE_NETS:
        return [{"h": h, "lr": 0.1} for h in STEP_SIZES]
    return [{"lr": rate} for rate in RATES]


def cifar(
    net: str,
    dataset: str,
    seed: int,
    steps: int,
    *,
    lr: float,
    h: float | None = None,
    held_out: float = 0.0,
    evaluations: int = EVALUATIONS,
    probe: dict[str, Any] | None = None,
    precision: str = PRECISION,
) -> Training:
    """A net of the table on real images.

    Args:
        net: A preset of configs/net.
        dataset: cifar10 or cifar100.
        seed: Of initialisation, order and split.
        steps: Optimiser steps of 100 images; rounded to whole epochs.
        lr: First learning rate.
        h: Step size; None for nets without one.
        held_out: Fraction of the training images that are for validation.
        evaluations: How often test accuracy is measured.
        probe: Options of what is measured; None: gradient norms and spectra at both ends of
            training.
        precision: An option of a run.
    """
    epochs = round(steps / math.ceil(IMAGES[dataset] * (1 - held_out) / BATCH))
    data = {
        "name": dataset,
        "validation_fraction": held_out,
        "augment": "crop_flip",
    }
    return trained(
        data,
        chosen(net),
        seed,
        epochs,
        h=h,
        optim={"lr": lr},
        precision=precision,
        evaluate_every=max(1, epochs // evaluations),
        probe=probe or ENDS,
        keep=(
            "epoch",
            "train_loss",
            "train_accuracy",
            "test_accuracy",
            "depths",
            "state_gradients",
            "singular_values",
        ),
    )
