"""optim.frozen: the weights that it names keep their initial values bitwise, all others train."""

import pytest
import torch

from stablenets.training.network import build_network, load_trained_network
from stablenets.training.run import train

NETS = {
    "a flow": ("net=roamlp", ["W"]),
    "backward=checkpoint": ("net=antisymmetric", "backward=checkpoint", ["K", "b"]),
    "backward=reverse": ("net=hamiltonian", "backward=reverse", ["K1", "b2"]),
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
    "a reservoir of LSTM units": (
        "net=lstm",
        "dataset=psdigits",
        "depth=null",
        "width=8",
        "dataset.limit=32",
        ["W", "U", "b_U", "b_W"],
    ),
}


@pytest.mark.parametrize("net", NETS)
def test_only_frozen_weights_keep_their_initial_values(resolved, net):
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
    first = build_network(run, run.dataset.facts)
    last = load_trained_network(run, outcome.folder)
    unchanged = {
        name
        for name, value in first.named_parameters()
        if torch.equal(value, last.get_parameter(name))
    }
    assert unchanged == {f"units.0.{name}" for name in names}
    assert outcome.summary["parameters"] == sum(
        value.numel() for name, value in first.named_parameters() if name not in unchanged
    )


def test_nothing_is_frozen_by_default(resolved):
    assert resolved("optim.frozen=[]").hash == resolved().hash
    assert "optim.frozen" not in resolved().identity
