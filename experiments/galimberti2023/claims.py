"""The claims of the paper and the criteria that decide them.

B_l = (∂y_N/∂y_l).T is the backward sensitivity matrix. Thresholds without a source are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pandas as pd

from stablenets.claims.comparing import compare_pairs
from stablenets.claims.criteria import Criterion, ahead_of, at_least, at_most, below, condition
from stablenets.claims.estimates import (
    TEST_ACCURACY,
    Metric,
    exact,
    gap_between,
    largest,
    mean_over_seeds,
    median_over_seeds,
    paired_difference,
    paired_ratio,
    percentage,
    select_rows,
    smallest,
)
from stablenets.claims.results import Results
from stablenets.claims.tabulating import by_value
from stablenets.statistics import Estimate

from .published import COLUMNS, NO_LAYERS, STATED_NORMS, TABLE_1
from .runs import AUTHORS_RING_SETTING, RING_SETTINGS, paper
from .studies.networks import EULER, NETWORKS, PLAIN, RANDOM_X, SINGULAR_X, VOLUME
from .studies.random_weights import TrainedSymplectic

ROUNDING = 1e-12
DATA_NAMES = {
    "swiss_roll": "swiss roll",
    "double_moons": "double moons",
    "double_circles": "double circles",
    "mnist": "MNIST",
    "digits": "digits",
}
NONE = "no layers"  # the convolution and the softmax alone, which are the same for all networks
BEST_ACCURACY = percentage("test_accuracy_at_best_validation")
DEEP = 16  # layers from which on Table 1 is compared


def with_names(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of trainings with a column `net`: the paper's name of the network."""
    names = {net.family: name for name, net in NETWORKS.items() if not net.options}
    found = rows["net.family"].map(names)
    if "net.interconnection" in rows:
        found = found.mask(rows["net.interconnection"] == "ones", "H1-J2")
    return rows.assign(net=found.where(rows["depth"] > 0, NONE))


def after_training(results: Results) -> pd.DataFrame:
    """The rows of trained networks with their names and depths."""
    rows = results["trained"]
    depths = {
        work.training.name: work.training.resolved.config.depth
        for work in results.works(["trained"])
        if isinstance(work, TrainedSymplectic)
    }
    layers = rows["layers"].fillna(rows["training"].map(depths)).astype(int)
    return rows.assign(net=rows["net"].fillna("H2") + ", trained", layers=layers)


@paper.claim(
    "1",
    kind="theorem",
    source="Abstract; Furieri et al. 2022, App. C",
    runs=["symplectic", "trained"],
    figure="spread",
)
def symplectic(results: Results) -> Iterator[Criterion]:
    """Each layer of the semi-implicit network H2, and each product of layers, is symplectic: Bᵀ J B
    = J, for any weights, before and after training.
    """
    random, trained = results["symplectic"], after_training(results)
    label = "largest ‖Bᵀ J B - J‖ / (‖B‖² ‖J‖)"
    yield at_most(largest(random, "layer"), ROUNDING, f"random weights, layers: {label}")
    yield at_most(largest(random, "product"), ROUNDING, f"random weights, products: {label}")
    worst = max(trained["layer"].max(), trained["product"].max())
    yield at_most(exact(worst, len(trained)), ROUNDING, f"after training: {label}")
    rows = pd.concat([random, trained])
    has_other_x = rows["net"].str.startswith((RANDOM_X, SINGULAR_X))
    yield condition(
        at_least(
            smallest(rows[has_other_x], "wrong_transpose"),
            1e-3,
            "the same with the wrong transpose, where X is not the identity: smallest",
        )
    )


@paper.claim(
    "2a",
    kind="theorem",
    source="Theorem 1",
    runs=["depths", "through"],
    figure="through",
    published="at least 1",
)
def bounded_below(results: Results) -> Iterator[Criterion]:
    """Norms of sensitivities are at least 1, at every depth and throughout training."""
    lowest = Metric("lowest")
    for group, label in (("depths", "random weights"), ("through", "during training, H1 and H2")):
        rows = results[group]
        found = smallest(rows[rows["net"] != PLAIN], lowest)
        yield at_least(found, 1 - 1e-9, f"{label}: smallest ‖B_l‖ of a single example")


@paper.claim(
    "2b",
    kind="paper",
    source="L4DC 2021, section 4.3",
    runs=["through"],
    figure="through",
    published="MLP of 32 layers: 50 %",
)
def plain_vanishes(results: Results) -> Iterator[Criterion]:
    """The sensitivities of a tanh MLP of 32 layers, trained as the authors do, vanish, and it does
    not train.
    """
    plain = select_rows(results["through"], net=PLAIN)
    yield below(largest(plain, "end"), 1e-6, "MLP after training: largest median ‖∂y_N/∂y_0‖")
    yield below(
        largest(plain, Metric("test_accuracy", "%", 100.0)), 60.0, "MLP: highest accuracy", "%"
    )


@paper.claim(
    "2c",
    kind="ours",
    source="a control of claim 2b",
    runs=["plain_variants"],
)
def plain_fails_without_penalty(results: Results) -> Iterator[Criterion]:
    """The penalty and the first weights are not the reason: without its penalty, and from
    orthogonal weights, the deep MLP does not train either.
    """
    rows = results["plain_variants"]
    for is_orthogonal, start in ((False, "normal"), (True, "orthogonal")):
        own = rows[rows["orthogonal"] == is_orthogonal]
        label = f"MLP without penalty, {start} start"
        yield below(
            largest(own, Metric("end")), 1e-6, f"{label}: largest median ‖∂y_N/∂y_0‖ at the end"
        )
        accuracy = mean_over_seeds(own, TEST_ACCURACY)
        yield below(accuracy, 60.0, f"{label}: test accuracy", "%")


def volume_rows(results: Results) -> pd.DataFrame:
    """The random networks of all steps and depths, without the MLP."""
    rows = pd.concat([results[group] for group in ("steps", "depths", "longer")])
    return rows[rows["net"] != PLAIN]


@paper.claim(
    "3", kind="ours", source="not in the paper", runs=["steps", "depths", "longer"], figure="spread"
)
def volume(results: Results) -> Iterator[Criterion]:
    """All six networks satisfy the bound; volume tells them apart: forward Euler (H1, H1-J2, MS2)
    inflates it, semi-implicit Euler and Verlet (H2, MS1, MS3) keep it.
    """
    rows = volume_rows(results)
    euler, others = (rows[rows["net"].isin(nets)] for nets in (EULER, VOLUME))
    volume = Metric("log10_determinant")
    yield ahead_of(smallest(euler, volume), 0.0, "forward Euler: smallest log10 det of ∂y_N/∂y_0")
    change = exact(others["log10_determinant"].abs().max(), len(others))
    yield at_most(change, 1e-9, "the other three: largest |log10 det|")
    canonical = rows[rows["net"].isin(("H2", "MS3"))]
    yield at_most(
        largest(canonical, "scaled_defect"),
        ROUNDING,
        "H2 and MS3, canonical J: largest ‖Bᵀ J B - J‖ / ‖B‖²",
    )
    yield condition(at_least(smallest(rows, "lowest"), 1 - 1e-9, "all six: smallest ‖B_l‖"))


@paper.claim(
    "4a",
    kind="paper",
    source="L4DC 2021, Fig. 2",
    runs=["through"],
    figure="through",
    published="1 to 17",
)
def stays_in_range(results: Results) -> Iterator[Criterion]:
    """During training of H1 with 64 layers, the norm of the mean sensitivity of a batch stays
    between 1 and 17.
    """
    rows = select_rows(results["through"], net="H1")
    low, high = STATED_NORMS
    yield at_most(
        mean_over_seeds(rows, Metric("mean_highest")), high, "mean over runs of the largest norm"
    )
    yield at_least(smallest(rows, "mean_lowest"), low - 0.001, "smallest norm of all runs")


def controlled(
    results: Results, setting: str, level: float, norm: str = "highest"
) -> tuple[Estimate, Estimate]:
    """What a level of one setting does to H1, against its lowest level.

    Args:
        results: The results.
        setting: T, alpha or weight_decay.
        level: The level of the setting.
        norm: The norm that is compared: `highest`, the largest of all points through training, or
            `end`, the median over points after training.

    Returns:
        The ratio of the norms, and the difference of the test accuracies in points.
    """
    rows = results["control"]
    for other, usual in {"T": 0.8, "alpha": 5e-4, "weight_decay": 0.0}.items():
        if other != setting:
            rows = rows[rows[other] == usual]
    changed, lowest = rows[rows[setting] == level], rows[rows[setting] == rows[setting].min()]
    return (
        paired_ratio(Metric(norm), changed, lowest),
        paired_difference(TEST_ACCURACY, changed, lowest),
    )


DECIDING_DECAYS = (0.01, 0.03, 0.05)
NORM_RATIO = "largest ‖B_l‖ of a run, {} / {}"


@paper.claim(
    "4b",
    kind="ours",
    source="Abstract (regularisation controls exploding gradients); the decay is ours",
    runs=["control"],
    figure="control",
)
def decay_limits_norms(results: Results) -> Iterator[Criterion]:
    """Weight decay limits the growth of the norms at no cost in accuracy."""
    for level in DECIDING_DECAYS:
        if level in set(results["control"]["weight_decay"]):
            ratio, _ = controlled(results, "weight_decay", level)
            yield below(ratio, 1.0, NORM_RATIO.format(f"weight decay {level}", "none"))
    level = DECIDING_DECAYS[0]
    typical, accuracy = controlled(results, "weight_decay", level, "end")
    yield below(typical, 1.0, f"median ‖B_0‖ after training, weight decay {level} / none")
    yield at_least(accuracy, -1.0, "test accuracy, weight decay 0.01 minus none", "points")


@paper.claim(
    "4c",
    kind="paper",
    source="Abstract (regularisation controls exploding gradients); the authors' code",
    runs=["control"],
    figure="control",
)
def change_penalty_limits_norms(results: Results) -> Iterator[Criterion]:
    """The authors' penalty on changes of the weights from layer to layer limits the growth."""
    ratio, _ = controlled(results, "alpha", 0.1)
    yield below(ratio, 1.0, NORM_RATIO.format("alpha 0.1", "0"))


@paper.claim(
    "4d", kind="ours", source="the upper bound grows with T", runs=["control"], figure="control"
)
def time_raises_norms(results: Results) -> Iterator[Criterion]:
    """A longer final time T raises the norms through training."""
    ratio, _ = controlled(results, "T", 1.6)
    yield ahead_of(ratio, 1.0, NORM_RATIO.format("T = 1.6", "T = 0.4"))


@paper.claim(
    "5",
    kind="paper",
    source="Appendix III, Fig. 5",
    runs=["counterexample"],
    figure="counterexample",
)
def counterexample(results: Results) -> Iterator[Criterion]:
    """Weights that vary slowly do not prevent exploding gradients: norms grow about linearly with
    time, whatever ε is at fixed ε T.
    """
    rows = with_exponents(results)
    rows = rows[rows["scheme"] == "semi-implicit"]
    label = "exponent of t in ‖∂y(T)/∂y(T-t)‖, t from T/2 to T"
    yield at_least(smallest(rows, "exponent"), 0.85, f"smallest {label}")
    yield at_most(largest(rows, "exponent"), 1.15, f"largest {label}")
    norms = rows[rows["T"] == rows["T"].min()]["quarter_4"]
    yield at_most(
        exact(100 * (norms.max() / norms.min() - 1), len(norms)),
        5.0,
        "difference of the norms at t = T between values of ε",
        "%",
    )
    yield condition(
        at_most(
            exact((rows["determinant"] - 1).abs().max()), 1e-9, "largest |det - 1| over all layers"
        )
    )


def with_exponents(results: Results) -> pd.DataFrame:
    """The rows of the counterexample with the slope of log norm over log t on the later half."""

    def exponent(norms: np.ndarray) -> float:
        t = np.arange(1, len(norms) + 1)
        later = 2 * t >= len(norms)
        return float(np.polyfit(np.log(t[later]), np.log(norms[later]), 1)[0])

    rows = results["counterexample"]
    return rows.assign(exponent=[exponent(results.arrays(run)["norms"]) for run in rows["run"]])


@paper.claim("6", kind="theorem", source="L4DC 2021, section 3.2", runs=["general"])
def one_equation(results: Results) -> Iterator[Criterion]:
    """MS1, MS2, MS3, H1, H1-J2 and H2 are one equation, y + h J Kᵀ σ(K y + b), with different J and
    K.
    """
    rows = results["general"]
    for name in ("output", "gradient"):
        label = f"largest relative difference of {name}s to the general form"
        yield at_most(largest(rows, Metric(name)), 1e-9, label)
    yield condition(at_most(largest(rows, "skew"), 1e-9, "largest ‖J + Jᵀ‖ / ‖J‖"))


@paper.claim(
    "7a",
    kind="paper",
    source="L4DC 2021, Table 1",
    runs=["table"],
    figure="planar",
    published="97.1 to 100 %",
)
def table_1_is_met(results: Results) -> Iterator[Criterion]:
    """On the swiss roll, the accuracies of Table 1 at 16 layers and more are met, with our training
    and a final time chosen by validation.
    """
    rows = with_names(results["table"])
    for column, net in enumerate(COLUMNS):
        gaps = {}
        for (dataset, depth), values in TABLE_1.items():
            own = select_rows(rows, dataset=dataset, depth=depth, net=net)
            if dataset == "swiss_roll" and depth >= DEEP and len(own):
                median = median_over_seeds(own, TEST_ACCURACY)
                ends = (median.value, median.low, median.high)
                gaps[depth] = Estimate(*(end - values[column] for end in ends), median.n)
        depth, gap = min(gaps.items(), key=lambda item: item[1].value)
        yield at_least(
            gap, -1.0, f"{net}: median minus Table 1, smallest of all depths, {depth}", "points"
        )


@paper.claim("7b", kind="paper", source="L4DC 2021, Table 1", runs=["table"], figure="planar")
def accuracy_rises(results: Results) -> Iterator[Criterion]:
    """On the swiss roll, accuracy is higher with 64 layers than with 4."""
    rows = select_rows(with_names(results["table"]), dataset="swiss_roll")
    shallow, deep = rows["depth"].min(), rows["depth"].max()
    for net in NETWORKS:
        gap = gap_between(select_rows(rows, net=net), "depth", deep, shallow)
        yield ahead_of(gap, 0.0, f"{net}: {deep} layers minus {shallow}", "points")


def leads(results: Results, dataset: str) -> Iterator[Criterion]:
    """H1 and H1-J2 against the earlier networks, at the fewest layers."""
    rows = select_rows(with_names(results["table"]), dataset=dataset)
    depth = rows["depth"].min()
    pairs = product(("H1", "H1-J2"), ("MS1", "MS2", "MS3"))
    few = select_rows(rows, depth=depth)
    return compare_pairs(ahead_of, few, "net", pairs, 0.0, prefix=f"depth {depth}: ")


@paper.claim(
    "7c",
    kind="paper",
    source="L4DC 2021, Table 1",
    runs=["table"],
    figure="planar",
    published="+3.5 points and more",
)
def leads_on_swiss_roll(results: Results) -> Iterator[Criterion]:
    """With few layers, H1 and H1-J2 are ahead of the earlier networks: swiss roll."""
    yield from leads(results, "swiss_roll")


@paper.claim(
    "7d",
    kind="paper",
    source="L4DC 2021, Table 1",
    runs=["table"],
    figure="planar",
    published="+2.3 points and more",
)
def leads_on_double_moons(results: Results) -> Iterator[Criterion]:
    """With few layers, H1 and H1-J2 are ahead of the earlier networks: double moons."""
    yield from leads(results, "double_moons")


def lowest_mean(rows: pd.DataFrame, net: str) -> tuple[int, Estimate]:
    """The depth, of four layers and more, with the lowest mean accuracy, and that mean."""
    own = select_rows(rows, net=net)
    deep = own[own["depth"] >= min(4, own["depth"].max())]
    means = by_value(deep, "depth", TEST_ACCURACY)
    return min(means.items(), key=lambda item: item[1].value)


def image_claim(results: Results, net: str) -> Iterator[Criterion]:
    """A network of Table 2: its lowest accuracy, and that without layers."""
    rows = with_names(results["images"])
    depth, lowest = lowest_mean(rows, net)
    yield at_least(lowest, 97.5, f"{net}: accuracy where lowest, at {depth} layers", "%")
    none = mean_over_seeds(select_rows(rows, net=NONE), TEST_ACCURACY).value
    yield condition(
        at_most(exact(abs(none - NO_LAYERS)), 1.0, "without layers: distance to Table 2", "points")
    )


TABLE_2_CLAIM = {
    "source": "L4DC 2021, Table 2",
    "runs": ["images"],
    "data": ["mnist"],
    "figure": "images",
}


@paper.claim("8a", kind="paper", published="98.0 to 98.1 %", **TABLE_2_CLAIM)
def ms1_on_mnist(results: Results) -> Iterator[Criterion]:
    """On MNIST, MS1 reaches about 98 % with four layers and more."""
    yield from image_claim(results, "MS1")


@paper.claim("8b", kind="paper", published="98.0 to 98.2 %", **TABLE_2_CLAIM)
def h1_j2_on_mnist(results: Results) -> Iterator[Criterion]:
    """On MNIST, H1-J2 reaches about 98 % with four layers and more."""
    yield from image_claim(results, "H1-J2")


@paper.claim("8c", kind="ours", **TABLE_2_CLAIM)
def h1_and_h2_on_mnist(results: Results) -> Iterator[Criterion]:
    """On MNIST, H1 and H2, which the table does not have, reach about 98 % as well."""
    rows = with_names(results["images"])
    for net in ("H1", "H2"):
        depth, lowest = lowest_mean(rows, net)
        yield at_least(lowest, 97.5, f"{net}: accuracy where lowest, at {depth} layers", "%")


def at_setting(rows: pd.DataFrame, *, is_chosen: bool) -> pd.DataFrame:
    """The distributed networks at the chosen step and rate, or at the authors' step."""
    cells = zip(rows["dataset"], rows["net.graph"], rows["h"], rows["optim.lr"], strict=True)
    wanted = [
        (h, lr) == (RING_SETTINGS[dataset, graph] if is_chosen else AUTHORS_RING_SETTING)
        for dataset, graph, h, lr in cells
    ]
    return rows[wanted]


@paper.claim(
    "9",
    kind="paper",
    source="authors' code; the paper's numbers are not known",
    runs=["ring", "reach"],
    figure="reach",
    published="not known",
)
def distributed(results: Results) -> Iterator[Criterion]:
    """A distributed network, block-sparse on a ring of eight nodes, is within 2 points of the dense
    one.
    """
    rows, reach = at_setting(results["ring"], is_chosen=True), results["reach"]
    for dataset in rows["dataset"].unique():
        on = select_rows(rows, dataset=dataset)
        for metric, iterate in ((TEST_ACCURACY, "last"), (BEST_ACCURACY, "best on validation")):
            gap = gap_between(on, "graph", "ring", "full", metric)
            label = f"{DATA_NAMES[dataset]}, {iterate}: sparse minus dense"
            yield at_least(gap, -2.0, label, "points")
    outside = exact(max(reach["outside"].max(), reach["outside_gradients"].max()))
    yield condition(at_most(outside, 0.0, "weights and gradients where the graph has no edge"))
    hops = exact(reach[["half_hops", "backward_hops"]].max(axis=None))
    yield condition(at_most(hops, 2, "nodes away that a half step reads"))


@paper.claim(
    "10", kind="ours", source="follows from Theorem 1", runs=["deep", "memory"], figure="deep"
)
def deep(results: Results) -> Iterator[Criterion]:
    """H2 with 1,024 layers trains, its gradients do not vanish, and memory for the backward pass
    does not grow with depth.
    """
    rows = results["deep"]
    gradients = [results.arrays(run)["state_gradients"] for run in rows["run"]]
    relative = min(float((norms / norms[:, -1:]).min()) for norms in gradients)
    yield at_least(smallest(rows, TEST_ACCURACY), 90.0, "test accuracy of the worst seed", "%")
    yield at_least(exact(relative), 0.1, "smallest gradient norm of a layer / last layer's")
    kept = select_rows(results["memory"], backward="reverse").set_index("layers")["bytes"]
    yield at_most(
        exact(kept[kept.index.max()] / kept[kept.index.min()]),
        1.1,
        f"bytes kept for the backward, {kept.index.max():,} layers / {kept.index.min()}",
    )


@paper.claim(
    "11",
    kind="theorem",
    source="Abstract (the paper's own constants are not known)",
    runs=["bounds", "control"],
    figure="bounds",
)
def bounded_above(results: Results) -> Iterator[Criterion]:
    """Sensitivity norms have an upper bound that depends on the norms of the weights, the depth and
    the step: ‖B_0‖ ≤ Π (1 + h ‖K_j‖²).
    """
    rows, trained = results["bounds"], results["control"]
    for net in ("H1", "H2"):
        yield at_most(
            largest(select_rows(rows, net=net), "excess"),
            1e-9,
            f"{net}, random weights: largest log10 of norm / bound, all layers and depths",
        )
    excess = np.log10(trained["end_highest"] / trained["bound"])
    yield at_most(
        exact(excess.max(), len(trained)), 1e-9, "H1 after training: largest log10 of norm / bound"
    )
