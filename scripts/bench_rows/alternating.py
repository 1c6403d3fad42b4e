"""The alternating iteration of Galimberti et al. 2023.

One iteration trains a new head for ten steps of Adam, and then the layers for one step.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from bench_rows.planar import BATCH, DEPTH, WIDTH, H, modules
from bench_rows.row import Row
from experiments.galimberti2023.studies.alternating import (
    ALPHA,
    ALPHA_C,
    LEARNING_RATE,
    OUTPUT_STEPS,
    make_iteration,
)
from stablenets.nets import HDNN, Network, SemiImplicit
from stablenets.nets.ends import make_opening

TIMES = 20  # iterations in one call


def network(dynamics: HDNN | SemiImplicit) -> Network:
    return Network(
        dynamics,
        shape=(2,),
        outputs=1,
        widths=[WIDTH],
        depth=DEPTH,
        h=H,
        operator="dense",
        opening_kind="spread",
        head_kind="linear",
    )


def by_modules(
    layers: list[nn.Module], x: torch.Tensor, labels: torch.Tensor
) -> Callable[[], None]:
    """Return the iteration as it is usually written.

    Each layer is a module, the penalty is a loop over layers, and each iteration makes a new output
    layer with a new optimiser.
    """
    net = nn.Sequential(make_opening("spread", (2,), WIDTH), *layers)
    adam = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)

    def iteration() -> None:
        features = net(x)
        head = nn.Linear(WIDTH, 1)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        of_head = torch.optim.Adam(head.parameters(), lr=LEARNING_RATE)
        fixed, targets = features.detach(), labels.float()
        for _ in range(OUTPUT_STEPS):
            of_head.zero_grad()
            loss = F.binary_cross_entropy_with_logits(head(fixed)[:, 0], targets)
            (
                loss + ALPHA_C / 2 * (head.weight.square().sum() + head.bias.square().sum())
            ).backward()
            of_head.step()
        adam.zero_grad()
        penalty = 0.0
        for before, after in pairwise(layers):
            for old, new in zip(before.parameters(), after.parameters(), strict=True):
                penalty = penalty + H / 2 * (new - old).square().sum()
        (
            F.binary_cross_entropy_with_logits(head(features)[:, 0], targets) + ALPHA * penalty
        ).backward()
        adam.step()

    return iteration


def row(name: str, net: Network, theirs: str) -> Row:
    x, labels = torch.randn(BATCH, 2), torch.randint(2, (BATCH,))
    adam = torch.optim.Adam(net.units.parameters(), lr=LEARNING_RATE, fused=True)
    plain = by_modules(modules(net.units[0]), x, labels)
    states, matrix, out = (
        torch.randn(BATCH, WIDTH),
        torch.randn(WIDTH, WIDTH),
        torch.empty(BATCH, WIDTH),
    )

    def products() -> None:
        for _ in range((5 * DEPTH + 2 * OUTPUT_STEPS) * TIMES):
            torch.mm(states, matrix, out=out)

    return Row(
        f"alternating {name}, {DEPTH} layers",
        lambda: [make_iteration(net, adam, x, labels) for _ in range(TIMES)],
        lambda: [plain() for _ in range(TIMES)],
        products,
        TIMES,
        "iterations",
        f"{OUTPUT_STEPS} steps of Adam on a new head, then one on the layers with their penalty;"
        f" n = {WIDTH}, batch {BATCH}; plain: a module for each layer; ceiling: five products per"
        f" layer, two per head step. The authors' code took {theirs} ms per iteration on another"
        " machine",
    )


def alternating_h1() -> Row:
    return row("H1", network(HDNN()), "13.9 to 15.0")


def alternating_h2() -> Row:
    return row("H2", network(SemiImplicit()), "28.8 to 32.6")
