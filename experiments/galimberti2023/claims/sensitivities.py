"""Claims 1 to 3, 5 and 6: sensitivities, mostly at random weights."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from stablenets.claims.criteria import Criterion, ahead_of, at_least, at_most, below, condition
from stablenets.claims.estimates import (
    Metric,
    exact,
    largest,
    select_rows,
    smallest,
)
from stablenets.claims.results import Results

from ..measures import (
    TRAINS,
    after_training,
    count_training,
    enough_seeds,
    volume_rows,
    with_exponents,
)
from ..networks import EULER, NETWORKS, PLAIN, RANDOM_X, SINGULAR_X, VOLUME
from ..runs import paper

ROUNDING = 1e-12


@paper.claim(
    "1",
    kind="theorem",
    source="Galimberti et al. 2023, abstract; Furieri et al. 2022, App. C",
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
    yield at_most(exact(worst, trained), ROUNDING, f"after training: {label}")
    rows = pd.concat([random, trained])
    has_other_x = rows["net"].str.startswith((RANDOM_X, SINGULAR_X))
    yield condition(
        at_least(
            smallest(rows[has_other_x], "wrong_transpose"),
            1e-3,
            "control, X ≠ I: smallest value of the same with the wrong transpose, B J Bᵀ",
        )
    )


@paper.claim(
    "2a",
    kind="theorem",
    source="H2: symplectic, so Galimberti et al. 2023, Theorem 1, as quoted by Furieri et al. 2022."
    " The other five: an argument of ours, |det B_l| ≥ 1, in docs/papers/galimberti2023.md",
    runs=["depths", "through"],
    figure="through",
    published="H2: at least 1",
)
def bounded_below(results: Results) -> Iterator[Criterion]:
    """Norms of sensitivities ‖B_l‖, l < N, are at least 1: in H2 by Galimberti et al. 2023, Theorem
    1, in the other five networks since their layers do not reduce volume. This is checked at random
    weights at every depth, and in H1 and H2 throughout training.
    """
    others = [net for net in NETWORKS if net != "H2"]
    for group, nets, label in (
        ("depths", ["H2"], "random weights, H2"),
        ("depths", others, "random weights, the other five"),
        ("through", ["H2"], "during training, H2"),
        ("through", ["H1"], "during training, H1"),
    ):
        rows = select_rows(results[group], net=nets)
        excess = exact(rows["lowest"].min() - 1, rows)
        yield at_least(excess, -1e-9, f"{label}: smallest ‖B_l‖ - 1 of a single example, l < N")


@paper.claim(
    "2b",
    kind="paper",
    source="Galimberti et al. 2021, section 4.3",
    runs=["through"],
    figure="through",
    published="MLP of 32 layers: 50 %",
)
def plain_vanishes(results: Results) -> Iterator[Criterion]:
    """The sensitivities of a tanh MLP of 32 layers, trained as the authors do, vanish, and it does
    not train.
    """
    yield from judge_plain(select_rows(results["through"], net=PLAIN), "MLP")


def judge_plain(rows: pd.DataFrame, name: str) -> Iterator[Criterion]:
    """Whether the sensitivities of a tanh MLP vanish, and whether no run of it trains."""
    norm, accuracy = Metric("end"), Metric("test_accuracy", "%", 100.0)
    label = f"{name}, after training: median ‖∂y_N/∂y_0‖ over test points, in the run where it is"
    yield below(largest(rows, norm), 1e-6, f"{label} largest")
    label = f"{name}: highest test accuracy ({count_training(rows)} runs above {TRAINS:g} %)"
    yield below(largest(rows, accuracy), TRAINS, label, "%")
    yield enough_seeds(rows)


CONTROL_OF_2B = {"kind": "ours", "source": "a control of claim 2b", "runs": ["plain_variants"]}


@paper.claim("2c", **CONTROL_OF_2B)
def plain_fails_without_penalty(results: Results) -> Iterator[Criterion]:
    """Without its penalty, the sensitivities of the deep MLP vanish too, and it does not train."""
    rows = results["plain_variants"]
    yield from judge_plain(select_rows(rows, orthogonal=False), "MLP without penalty")


@paper.claim("2d", **CONTROL_OF_2B)
def plain_fails_from_orthogonal_weights(results: Results) -> Iterator[Criterion]:
    """From orthogonal weights and without its penalty, the sensitivities of the deep MLP vanish
    too, and no run of it trains.
    """
    rows = results["plain_variants"]
    yield from judge_plain(select_rows(rows, orthogonal=True), "MLP from orthogonal weights")


@paper.claim(
    "3",
    kind="ours",
    source="not in the papers of 2021 and 2023",
    runs=["steps", "depths", "longer"],
    figure="spread",
)
def volume(results: Results) -> Iterator[Criterion]:
    """All six networks keep the norm at least 1; forward Euler (H1, H1-J2, MS2) inflates volume,
    semi-implicit Euler and Verlet (H2, MS1, MS3) preserve it.
    """
    rows = volume_rows(results)
    euler, others = (rows[rows["net"].isin(nets)] for nets in (EULER, VOLUME))
    volume = Metric("log10_determinant")
    yield ahead_of(smallest(euler, volume), 0.0, "forward Euler: smallest log10 det of ∂y_N/∂y_0")
    change = exact(others["log10_determinant"].abs().max(), others)
    yield at_most(change, 1e-9, "the other three: largest |log10 det|")
    canonical = rows[rows["net"].isin(("H2", "MS3"))]
    yield at_most(
        largest(canonical, "scaled_defect"),
        ROUNDING,
        "H2 and MS3, canonical J: largest ‖Bᵀ J B - J‖ / ‖B‖²",
    )
    yield condition(at_least(smallest(rows, "lowest"), 1 - 1e-9, "all six: smallest ‖B_l‖, l < N"))


@paper.claim(
    "5",
    kind="paper",
    source="Galimberti et al. 2023, Appendix III, Fig. 5, known from the authors' code: norms grow."
    " That the growth is linear and the same for all ε, and the limits 0.85 and 1.15, are ours",
    runs=["counterexample"],
    figure="counterexample",
)
def counterexample(results: Results) -> Iterator[Criterion]:
    """Weights that vary slowly do not limit the norms of sensitivities: by semi-implicit Euler the
    norms grow, which the authors call exploding gradients (Galimberti et al. 2023, Appendix III).
    They grow about linearly with time, and equally for all ε if ε T is fixed; this part is ours.
    """
    rows = with_exponents(results)
    rows = rows[rows["scheme"] == "semi-implicit"]
    label = "exponent of t in ‖∂y(T)/∂y(T-t)‖, t from T/2 to T"
    yield at_least(smallest(rows, "exponent"), 0.85, f"smallest {label}")
    yield at_most(largest(rows, "exponent"), 1.15, f"largest {label}")
    norms = rows[rows["T"] == rows["T"].min()]["quarter_4"]
    yield at_most(
        exact(100 * (norms.max() / norms.min() - 1), len(norms), "values of ε"),
        5.0,
        "difference of the norms at t = T between values of ε",
        "%",
    )
    change = exact((rows["determinant"] - 1).abs().max(), len(rows))
    yield condition(at_most(change, 1e-9, "largest |det - 1| over all layers"))


@paper.claim(
    "6",
    kind="theorem",
    source="Galimberti et al. 2021, section 3.2; H2: README of the authors' code",
    runs=["general"],
)
def one_equation(results: Results) -> Iterator[Criterion]:
    """MS1, MS2, MS3, H1, H1-J2 and H2 are one equation, y + h J Kᵀ σ(K y + b), with different J and
    K.
    """
    rows = results["general"]
    for name in ("output", "gradient"):
        label = f"largest relative difference of {name}s to the general form"
        yield at_most(largest(rows, Metric(name)), 1e-9, label)
    yield condition(at_most(largest(rows, "skew"), 1e-9, "largest ‖J + Jᵀ‖ / ‖J‖"))
