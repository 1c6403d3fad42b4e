"""Peak memory of two training steps of an image net, as a process of its own: a process never
forgets its peak.

    python -m experiments.chang2018.studies.peak BATCH '{"dataset": {"name": "cifar10"}, ...}'

Prints JSON, in bytes: the peak; what was resident before the steps, with the weights, their
gradients and their momentum there; weights.
"""

import json
import sys

import torch

# the compiler, which torch imports at some first call: memory of torch's, and no step's
import torch._dynamo
import torch.nn.functional as F

from stablenets.config import resolve
from stablenets.probes import peak_resident_bytes
from stablenets.training.network import build_network

from .networks import SGD


def main(batch: int, values: dict) -> dict[str, int]:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    run = resolve(values)
    net = build_network(run, run.dataset.facts)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser = torch.optim.SGD(
        net.parameters(), SGD["lr"], SGD["momentum"], weight_decay=SGD["weight_decay"]
    )
    optimiser.step()  # makes the momentum
    x, y = (
        torch.randn(batch, *run.dataset.facts.shape),
        torch.randint(run.dataset.facts.outputs, (batch,)),
    )
    start = peak_resident_bytes()
    for _ in range(2):
        optimiser.zero_grad()  # as training does: what is there would be held beside what is added
        F.cross_entropy(net(x), y).backward()
        optimiser.step()
    return {
        "peak": peak_resident_bytes(),
        "start": start,
        "weights": sum(parameter.nbytes for parameter in net.parameters()),
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), json.loads(sys.argv[2]))))
