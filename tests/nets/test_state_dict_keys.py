"""The keys and shapes of each family's `state_dict` stay as they are, so that saved weights load.

python tests/nets/test_state_dict_keys.py      adds the families that are new to the golden file
"""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from stablenets.engine.recurrence import Recurrent
from stablenets.nets import FAMILIES, Network, SequenceNetwork

FILE = Path(__file__).resolve().parents[1] / "golden" / "state_dict_keys.json"
OPTIONS = {  # of families whose tensors depend on an option
    "distributed": {"nodes": 2, "coupling": "random"},
    "semi_implicit": {"coupling": "random"},
    "midpoint": {"block_norm": "batch"},
    "leapfrog_haber": {"block_norm": "batch"},
    "hamiltonian": {"block_norm": "shift"},
}


def small_network(name: str) -> nn.Module:
    """Two layers of a family: over time, over two units of images, or over flat features."""
    family = FAMILIES[name](**OPTIONS.get(name, {}))
    if isinstance(family, Recurrent):
        return SequenceNetwork(family, shape=(5, 3), outputs=2, width=4)
    can = family.capabilities
    return Network(
        family,
        shape=(3, 8, 8),
        outputs=2,
        widths=[4] if can.dense_only else [4, 8],
        depth=2,
        h=None if can.order is None else 0.1,
        operator="dense" if can.dense_only else "conv",
        opening_kind="linear" if can.dense_only else "conv_bn_relu",
        head_kind="linear" if can.dense_only else "bn_relu_mean",
        blocks=None if can.dense_only else [1, 2],
        transition="strided_first_block" if can.has_strided_block else "before_first_block",
    )


def state_dict_shapes(name: str) -> dict[str, list[int]]:
    torch.manual_seed(0)
    return {key: list(value.shape) for key, value in small_network(name).state_dict().items()}


@pytest.mark.parametrize("name", json.loads(FILE.read_text()) if FILE.exists() else [])
def test_state_dict_has_the_recorded_keys_and_shapes(name):
    assert state_dict_shapes(name) == json.loads(FILE.read_text())[name]


if __name__ == "__main__":
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    known |= {name: state_dict_shapes(name) for name in FAMILIES if name not in known}
    lines = (f'"{name}": {json.dumps(shapes)}' for name, shapes in sorted(known.items()))
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
