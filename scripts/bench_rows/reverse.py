"""The cost of keeping no activations: a training step by reverse, checkpoint and store."""

from collections.abc import Callable

import torch

from bench_rows.row import Row
from stablenets.nets import Flow, Hamiltonian

DEPTH, CHANNELS, SIZE, BATCH = 6, 32, 16, 100


def reversed_step() -> Row:
    """One step by reverse; the ceiling is `store`, which computes no state twice.

    In theory `store` needs 3 evaluations per update and the other two need 4.
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
