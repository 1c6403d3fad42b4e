"""Architecture families. A new one is a file with its equation and a line here.

    from stablenets.nets import Antisymmetric, Flow
    layer = Flow(Antisymmetric(gamma=0.1), width=64, depth=256, h=0.05)   # an nn.Module: (B, 64) -> (B, 64)
"""
from stablenets.dynamics import Dynamics
from stablenets.flow import Flow
from stablenets.nets.antisymmetric import Antisymmetric
from stablenets.nets.assemble import Network
from stablenets.nets.plain import Plain
from stablenets.nets.resnet import ResNet

FAMILIES: dict[str, type[Dynamics]] = {
    "plain": Plain,
    "resnet": ResNet,
    "antisymmetric": Antisymmetric,
}

__all__ = ["FAMILIES", "Antisymmetric", "Dynamics", "Flow", "Network", "Plain", "ResNet"]
