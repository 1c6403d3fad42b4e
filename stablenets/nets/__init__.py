"""Families of networks and the modules that run them.

A new family needs one file with its equation, its import here, and a line in `FAMILIES`.

>>> from stablenets.nets import Antisymmetric, Flow
>>> layer = Flow(Antisymmetric(gamma=0.1), width=64, depth=256, h=0.05)  # (..., 64) -> (..., 64)
"""

from collections.abc import Mapping

from stablenets.engine.dynamics import Dynamics
from stablenets.engine.family import Capabilities, Family
from stablenets.engine.flow import Flow
from stablenets.engine.recurrence import Recurrence, Recurrent
from stablenets.nets.antisymmetric import Antisymmetric
from stablenets.nets.antisymmetric_rnn import AntisymmetricRNN, GatedAntisymmetricRNN
from stablenets.nets.assembling import Network
from stablenets.nets.cornn import CoRNN
from stablenets.nets.distributed import Distributed
from stablenets.nets.exprnn import ExpRNN
from stablenets.nets.gated import GRU, LSTM
from stablenets.nets.hamiltonian import Hamiltonian
from stablenets.nets.hdnn import HDNN
from stablenets.nets.leapfrog import Leapfrog, LeapfrogHaber
from stablenets.nets.midpoint import Midpoint
from stablenets.nets.momentum import Momentum
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

FAMILIES: dict[str, type[Dynamics | Recurrent]] = {
    # over depth, run by `Flow`
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
    "momentum": Momentum,
    "roamlp": RoaMLP,
    # over the time steps of sequences, run by `Recurrence`
    "rnn": RNN,
    "roarnn": RoaRNN,
    "lstm": LSTM,
    "gru": GRU,
    "antisymmetric_rnn": AntisymmetricRNN,
    "gated_antisymmetric_rnn": GatedAntisymmetricRNN,
    "cornn": CoRNN,
    "exprnn": ExpRNN,
}
DEPTH_FAMILIES: dict[str, type[Dynamics]] = {}
RECURRENT_FAMILIES: dict[str, type[Recurrent]] = {}


def add_families(families: Mapping[str, type[Dynamics | Recurrent]]) -> None:
    """Add families to `FAMILIES`, and to `DEPTH_FAMILIES` or `RECURRENT_FAMILIES`."""
    for name, cls in families.items():
        FAMILIES[name] = cls
        if issubclass(cls, Dynamics):
            DEPTH_FAMILIES[name] = cls
        else:
            RECURRENT_FAMILIES[name] = cls


add_families(FAMILIES)

__all__ = [
    "DEPTH_FAMILIES",
    "FAMILIES",
    "GRU",
    "HDNN",
    "LSTM",
    "MS1",
    "MS2",
    "MS3",
    "RECURRENT_FAMILIES",
    "RNN",
    "Antisymmetric",
    "AntisymmetricRNN",
    "Capabilities",
    "CoRNN",
    "Distributed",
    "Dynamics",
    "ExpRNN",
    "Family",
    "Flow",
    "GatedAntisymmetricRNN",
    "Hamiltonian",
    "Leapfrog",
    "LeapfrogHaber",
    "Midpoint",
    "Momentum",
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
