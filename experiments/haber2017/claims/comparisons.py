"""Claims 4, 9 and 10: trained networks of the stable families compared with ResNet."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from stablenets.claims.comparing import compare_pairs
from stablenets.claims.criteria import Criterion, at_least, at_most, condition
from stablenets.claims.estimates import (
    TEST_ACCURACY,
    Metric,
    mean_over_seeds,
    paired_ratio,
    select_rows,
)
from stablenets.claims.results import Results

from ..measures import (
    AGAINST_RESNET,
    DATA_NAMES,
    GAP,
    GAP_MARGIN,
    MARGIN,
    NAMES,
    by_depth_class,
    depths_text,
    with_gap,
    with_sensitivity,
)
from ..runs import FIXED_TIME, paper
from ..trainings import DEEP, STABLE


def compare_with_resnet(rows: pd.DataFrame, family: str) -> Iterator[Criterion]:
    """A family against ResNet, by data set, for deep networks and then for shallow ones."""
    for _, of_class in by_depth_class(rows):
        for dataset, own in of_class.groupby("dataset", sort=False):
            prefix = f"{DATA_NAMES[str(dataset)]}, {depths_text(own)}: "
            pairs = [(family, "resnet")]
            yield from compare_pairs(
                at_least, own, "family", pairs, MARGIN, prefix=prefix, names=NAMES
            )


COMPETITIVE = {
    "kind": "paper",
    "source": "Abstract; section 6 has the experiments, which we did not read. The bar is ours",
    "runs": ["depth"],
    "figure": "depth",
    "published": "not known",
}


@paper.claim("4a", **COMPETITIVE)
def antisymmetric_is_competitive(results: Results) -> Iterator[Criterion]:
    """The antisymmetric network is competitive with an equally wide ResNet: on average over the
    networks of fewer than 64 layers, and over those of 64 and more, it is at most 2 points behind
    (the bar is ours).
    """
    yield from compare_with_resnet(results["depth"], "antisymmetric")


@paper.claim("4b", **COMPETITIVE)
def verlet_is_competitive(results: Results) -> Iterator[Criterion]:
    """The Verlet network is competitive with an equally wide ResNet: on average over the networks
    of fewer than 64 layers, and over those of 64 and more, it is at most 2 points behind (the bar
    is ours).
    """
    yield from compare_with_resnet(results["depth"], "verlet")


@paper.claim("4c", **COMPETITIVE)
def leapfrog_is_competitive(results: Results) -> Iterator[Criterion]:
    """The leapfrog network is competitive with an equally wide ResNet: on average over the networks
    of fewer than 64 layers, and over those of 64 and more, it is at most 2 points behind (the bar
    is ours).
    """
    yield from compare_with_resnet(results["depth"], "leapfrog_haber")


@paper.claim(
    "4d",
    kind="ours",
    source="Final time of Meganet, the authors' public code",
    runs=["fixed_time"],
    figure="fixed_time",
)
def competitive_at_fixed_time(results: Results) -> Iterator[Criterion]:
    """With a final time of 20 at every depth, as in Meganet (the authors' public code), shallow
    networks have a step h above 1: the stable families, averaged over 4, 8 and 16 layers, are at
    most 2 points behind an equally wide ResNet.
    """
    rows = select_rows(results["fixed_time"], T=FIXED_TIME)
    for dataset, own in rows.groupby("dataset", sort=False):
        time = f"final time {FIXED_TIME:g}"
        prefix = f"{DATA_NAMES[str(dataset)]}, {time}, {depths_text(own)}: "
        yield from compare_pairs(
            at_least, own, "family", AGAINST_RESNET, MARGIN, prefix=prefix, names=NAMES
        )


@paper.claim(
    "9",
    kind="paper",
    source="Abstract and section 3, on learning problems that are well-posed; the measure of it and"
    " the comparison with ResNet are ours",
    runs=["compared", "perturbed"],
    figure="perturbed",
)
def well_posed(results: Results) -> Iterator[Criterion]:
    """Well-posedness, swiss roll: in deep trained networks of the stable families, a small change
    of the input changes the class scores, relative to their spread, no more than in ResNet (the
    comparison is ours).
    """
    rows = with_sensitivity(results)
    deep = rows[rows["depth"] >= DEEP] if (rows["depth"] >= DEEP).any() else rows
    for depth, own in deep.groupby("depth"):
        resnet = select_rows(own, family="resnet")
        accuracy = mean_over_seeds(resnet, TEST_ACCURACY)
        yield condition(at_least(accuracy, 90.0, f"ResNet at {depth} layers", "%"))
        for family in STABLE:
            ratio = paired_ratio(Metric("relative_gain"), select_rows(own, family=family), resnet)
            label = f"{depth} layers: relative sensitivity, {NAMES[family]} / ResNet"
            yield at_most(ratio, 1.0, label)


def compare_gaps(results: Results, dataset: str) -> Iterator[Criterion]:
    """The generalisation gaps of the families on one data set, deep and shallow networks apart."""
    rows = with_gap(select_rows(results["depth"], dataset=dataset))
    for depths, own in by_depth_class(rows):
        prefix = f"{depths}: training minus test accuracy, "
        yield from compare_pairs(
            *(at_most, own, "family", AGAINST_RESNET, GAP_MARGIN),
            **{"prefix": prefix, "names": NAMES, "metric": GAP},
        )


GENERALISE = {
    "kind": "paper",
    "source": "Abstract, on deep networks that generalise well; the comparison with ResNet and the"
    " bar are ours",
    "runs": ["depth"],
    "figure": "gap",
}


@paper.claim("10a", **GENERALISE)
def gap_on_ellipses(results: Results) -> Iterator[Criterion]:
    """The stable families generalise as well as ResNet: the gap between training and test accuracy
    is at most 1 point larger (the bar is ours). Ellipses, whose points are random.
    """
    yield from compare_gaps(results, "ellipses")


@paper.claim("10b", **GENERALISE)
def gap_on_swiss_roll(results: Results) -> Iterator[Criterion]:
    """The stable families generalise as well as ResNet (gap at most 1 point larger; the bar is
    ours): swiss roll, which has no noise, and whose test points lie between training points.
    """
    yield from compare_gaps(results, "swiss_roll")


@paper.claim("10c", **GENERALISE)
def gap_on_peaks(results: Results) -> Iterator[Criterion]:
    """The stable families generalise as well as ResNet (gap at most 1 point larger; the bar is
    ours): peaks, whose points are random.
    """
    yield from compare_gaps(results, "peaks")
