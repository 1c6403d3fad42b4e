"""Claims 10 and 11: networks of 1,024 layers, and the upper bound."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stablenets.claims.criteria import Criterion, at_least, at_most
from stablenets.claims.estimates import TEST_ACCURACY, exact, largest, select_rows, smallest
from stablenets.claims.results import Results

from ..measures import enough_seeds
from ..runs import paper


@paper.claim(
    "10",
    kind="ours",
    source="Galimberti et al. 2023, Theorem 1, bounds norms of matrices, and not each gradient from"
    " below; that memory does not grow follows from the inverse of a layer, an addition of ours",
    runs=["deep", "memory"],
    figure="deep",
)
def deep(results: Results) -> Iterator[Criterion]:
    """H2 with 1,024 layers trains, its gradients do not vanish, and memory for the backward pass
    does not grow with depth, if states are computed again by inverting the layers.
    """
    rows = results["deep"]
    gradients = [results.arrays(run)["state_gradients"] for run in rows["run"]]
    relative = min(float((norms[:, :-1] / norms[:, -1:]).min()) for norms in gradients)
    yield at_least(smallest(rows, TEST_ACCURACY), 90.0, "test accuracy of the worst seed", "%")
    label = "smallest gradient norm at a state before the last one / at the last one"
    yield at_least(exact(relative, rows), 0.1, label)
    kept = select_rows(results["memory"], backward="reverse").set_index("layers")["bytes"]
    yield at_most(
        exact(kept[kept.index.max()] / kept[kept.index.min()]),
        1.1,
        f"bytes kept for the backward, {kept.index.max():,} layers / {kept.index.min()}",
    )
    yield enough_seeds(rows)


@paper.claim(
    "11",
    kind="theorem",
    source="Galimberti et al. 2023, abstract (its constants are not known); ours are from the"
    " triangle inequality",
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
        exact(excess.max(), trained), 1e-9, "H1 after training: largest log10 of norm / bound"
    )
