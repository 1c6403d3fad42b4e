"""An option of `net` either changes the network or is refused."""

import pytest
import torch

from stablenets.config import resolve
from stablenets.errors import BadInput
from stablenets.nets import FAMILIES, RECURRENT_FAMILIES
from stablenets.training.network import build_network

OTHER_VALUES = {
    "T": 3.0,
    "bias": "scalar",
    "blocks": [3],
    "gain": 2.0,
    "head_hidden": 3,
    "opening": "pad",
}


def describe_network(family, options):
    """Return the step size, the shapes of all tensors, and the outputs of the initial network."""
    data = "psdigits" if family in RECURRENT_FAMILIES else "digits"
    run = resolve({"dataset": {"name": data}, "net": {"family": family, **options}})
    torch.manual_seed(0)
    net = build_network(run, run.dataset.facts).eval()
    torch.manual_seed(1)
    outputs = net(torch.rand(2, *run.dataset.facts.shape))
    return run.config.h, [parameter.shape for parameter in net.parameters()], outputs.tolist()


@pytest.mark.parametrize("option", OTHER_VALUES)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_option_changes_the_network_or_is_refused(family, option):
    changed, refusal = None, ""
    try:
        changed = describe_network(family, {option: OTHER_VALUES[option]})
    except BadInput as error:
        refusal = str(error)
    assert f"net.{option}" in refusal or (not refusal and changed != describe_network(family, {}))
