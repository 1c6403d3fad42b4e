"""One criterion for each pair of families."""

import pandas as pd

from stablenets.claims.comparing import compare_pairs
from stablenets.claims.criteria import HELD, REFUTED, at_least
from stablenets.claims.estimates import Metric


def test_each_pair_has_its_criterion():
    rows = pd.DataFrame(
        [
            {"net.family": family, "seed": seed, "accuracy": value + seed}
            for family, value in (("resnet", 90.0), ("verlet", 89.0), ("plain", 50.0))
            for seed in (0, 1)
        ]
    )
    pairs = [("verlet", "resnet"), ("plain", "resnet")]
    names = {"verlet": "Verlet", "resnet": "ResNet"}
    first, second = compare_pairs(
        at_least,
        *(rows, "family", pairs, -2.0),
        prefix="peaks: ",
        names=names,
        metric=Metric("accuracy"),
    )
    assert (first.label, first.estimate.value, first.state) == (
        "peaks: Verlet minus ResNet",
        -1.0,
        HELD,
    )
    assert (second.label, second.estimate.value, second.state) == (
        "peaks: plain minus ResNet",
        -40.0,
        REFUTED,
    )
