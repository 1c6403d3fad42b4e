"""Architecture families. A new one is a file with its equation and a line here.

from stablenets.nets import Antisymmetric, Flow layer = Flow(Antisymmetric(gamma=0.1), width=64,
depth=256, h=0.05)   # an nn.Module: (B, 64) -> (B, 64)
"""

from stablenets.engine.dynamics import Dynamics
from stablenets.engine.flow import Flow
from stablenets.engine.recurrence import Recurrence, Recurrent
from stablenets.nets.antisymmetric import Antisymmetric
from stablenets.nets.assembling import Network
from stablenets.nets.distributed import Distributed
from stablenets.nets.gated import GRU, LSTM
from stablenets.nets.hamiltonian import Hamiltonian
from stablenets.nets.hdnn import HDNN
from stablenets.nets.leapfrog import Leapfrog, LeapfrogHaber
from stablenets.nets.midpoint import Midpoint
from stablenets.nets.ms import MS1, MS2, MS3
from stablenets.nets.plain import Plain
from stablenets.nets.resnet import ResNet
from stablenets.nets.resnet_bn import ResNetBN
from stablenets.nets.revnet import RevNet
from stablenets.nets.roamlp import RoaMLP
from stablenets.nets.roarnn import RNN, RoaRNN
from stablenets.nets.semi_implicit import SemiImplicit
from stablenets.nets.sequence import SequenceNetwork
from stablenets.nets.verlet import Verlet

FAMILIES: dict[str, type[Dynamics]] = {
    "plain": Plain,
    "resnet": ResNet,
    "antisymmetric": Antisymmetric,
    "verlet": Verlet,
    "leapfrog_haber": LeapfrogHaber,
    "hamiltonian": Hamiltonian,
    "midpoint": Midpoint,
    "leapfrog": Leapfrog,
    "hdnn": HDNN,
    "semi_implicit": SemiImplicit,
    "ms1": MS1,
    "ms2": MS2,
    "ms3": MS3,
    "distributed": Distributed,
    "resnet_bn": ResNetBN,
    "revnet": RevNet,
    "roamlp": RoaMLP,
}
RECURRENT: dict[str, type[Recurrent]] = {  # for sequences
    "rnn": RNN,
    "roarnn": RoaRNN,
    "lstm": LSTM,
    "gru": GRU,
}

__all__ = [
    "FAMILIES",
    "GRU",
    "HDNN",
    "LSTM",
    "MS1",
    "MS2",
    "MS3",
    "RECURRENT",
    "RNN",
    "Antisymmetric",
    "Distributed",
    "Dynamics",
    "Flow",
    "Hamiltonian",
    "Leapfrog",
    "LeapfrogHaber",
    "Midpoint",
    "Network",
    "Plain",
    "Recurrence",
    "Recurrent",
    "ResNet",
    "ResNetBN",
    "RevNet",
    "RoaMLP",
    "RoaRNN",
    "SemiImplicit",
    "SequenceNetwork",
    "Verlet",
]
