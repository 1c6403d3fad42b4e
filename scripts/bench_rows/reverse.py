"""What it costs not to keep activations: one training step reversed, beside checkpointing and
beside storing them all.
"""

from collections.abc import Callable

import torch

from bench_rows.row import Row
from stablenets.nets import Flow, Hamiltonian

DEPTH, CHANNELS, SIZE, BATCH = 6, 32, 16, 100


def reversed_step() -> Row:
    """The ceiling is `store`, which makes no state twice: in theory 3 evaluations a kick beside 4
    for the other two.
    """
    x = torch.randn(BATCH, CHANNELS, SIZE, SIZE)

    def step(mode: str) -> Callable[[], None]:
        flow = Flow(
            Hamiltonian(activation="relu"), CHANNELS, DEPTH, h=0.1, operator="conv", backward=mode
        )
        inputs = x.clone().requires_grad_()

        def work() -> None:
            flow.zero_grad()
            inputs.grad = None
            flow(inputs).square().mean().backward()

        return work

    return Row(
        "reversed Hamiltonian unit",
        step("reverse"),
        step("checkpoint"),
        step("store"),
        1,
        "steps",
        f"forward and backward of {DEPTH} blocks, {CHANNELS}x{SIZE}x{SIZE}, batch {BATCH}; plain:"
        " backward=checkpoint; ceiling: backward=store, whose memory grows with depth",
    )
