"""A script that measures the peak memory of two training steps of an image network.

It is a process of its own, because the peak memory of a process never falls.

    python -m experiments.chang2018.studies.peak BATCH '{"dataset": {"name": "cifar10"}, ...}'

It prints the bytes as JSON; see `measure_peak`.
"""

import json
import sys

import torch

# torch imports its compiler at some later call. Imported here, its memory does not count as that of
# a training step.
import torch._dynamo
import torch.nn.functional as F

from stablenets.config import resolve
from stablenets.probes import peak_resident_bytes
from stablenets.training.network import build_network

from ..networks import SGD


def measure_peak(batch: int, values: dict) -> dict[str, int]:
    """Make two training steps on random images and return resident memory in bytes.

    Args:
        batch: Images of a step.
        values: The mapping that `config.resolve` takes.

    Returns:
        `peak`, the peak; `start`, the memory before the first step, with weights, gradients and
        momentum allocated; `weights`, the size of the weights.
    """
    torch.manual_seed(0)
    torch.set_num_threads(1)
    run = resolve(values)
    net = build_network(run, run.dataset.facts)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser = torch.optim.SGD(
        net.parameters(), SGD["lr"], SGD["momentum"], weight_decay=SGD["weight_decay"]
    )
    optimiser.step()  # allocates the momentum
    x = torch.randn(batch, *run.dataset.facts.shape)
    y = torch.randint(run.dataset.facts.outputs, (batch,))
    start = peak_resident_bytes()
    for _ in range(2):
        optimiser.zero_grad()  # as in training; it also frees the gradients of the last step
        F.cross_entropy(net(x), y).backward()
        optimiser.step()
    return {
        "peak": peak_resident_bytes(),
        "start": start,
        "weights": sum(parameter.nbytes for parameter in net.parameters()),
    }


if __name__ == "__main__":
    print(json.dumps(measure_peak(int(sys.argv[1]), json.loads(sys.argv[2]))))
