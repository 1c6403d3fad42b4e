"""Tensors of the layers that are not trained: they stay as they were drawn, bit by bit, and all
else moves.
"""

import pytest
import torch

from stablenets.training.run import network, train, trained

NETS = {
    "a flow": ("net=roamlp", ["W"]),
    "a flow that runs again": ("net=antisymmetric", "backward=checkpoint", ["K", "b"]),
    "a flow that runs back": ("net=hamiltonian", "backward=reverse", ["K1", "b2"]),
    "batch norms": (
        "dataset=digits",
        "net=revnet_38",
        "net.blocks=null",
        "net.widths=[4]",
        "net.opening=conv",
        "depth=1",
        "dataset.limit=32",
        ["F1", "gamma_NG2"],
    ),
    "random features": ("net=resnet", ["K", "b"]),
    "a recurrence": (
        "net=roarnn",
        "dataset=psdigits",
        "depth=null",
        "width=8",
        "dataset.limit=32",
        ["W", "U", "b"],
    ),
    "a reservoir of gates": (
        "net=lstm",
        "dataset=psdigits",
        "depth=null",
        "width=8",
        "dataset.limit=32",
        ["W", "U", "b_U", "b_W"],
    ),
}


@pytest.mark.parametrize("net", NETS)
def test_what_is_frozen_stays_and_all_else_moves(resolved, net):
    *overrides, names = NETS[net]
    run = resolved(
        *overrides,
        f"optim.frozen=[{','.join(names)}]",
        "optim=adamw",
        "optim.weight_decay=0.1",
        "epochs=1",
        "probe.spectrum_examples=0",
    )
    outcome = train(run)
    assert outcome.status == "done", outcome.message
    torch.manual_seed(run.config.seeds.init)
    first, last = network(run, run.dataset.facts), trained(run, run.dataset.facts, outcome.folder)
    still = {
        name
        for name, value in first.named_parameters()
        if torch.equal(value, last.get_parameter(name))
    }
    assert still == {f"units.0.{name}" for name in names}
    assert outcome.summary["parameters"] == sum(
        value.numel() for name, value in first.named_parameters() if name not in still
    )


def test_nothing_is_frozen_unless_it_is_said(resolved):
    assert resolved("optim.frozen=[]").hash == resolved().hash
    assert "optim.frozen" not in resolved().identity
