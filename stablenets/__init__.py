"""Neural networks that are stable by design: layers, training runs and probes.

Signals and gradients of these networks neither vanish nor explode, at any depth. The families come
from four papers: Haber & Ruthotto 2017, Chang et al. 2018, Galimberti et al. 2023, Ceni 2025.

A family over depth is an ordinary `torch.nn.Module`, and a probe takes any module:

    import stablenets as sn
    layer = sn.Flow(sn.Antisymmetric(gamma=0.1), width=64, depth=256, h=0.05)  # on (..., 64)
    run = sn.resolve({"dataset": {"name": "digits"}, "net": {"family": "resnet"}, "epochs": 5})
    outcome = sn.train(run)  # trains into runs/, or returns the finished run
    print(outcome.status, outcome.summary["test_accuracy"])

The same run on the command line: `stablenets dataset=digits net=resnet epochs=5`. All options:
`stablenets --help`. Names are imported at their first use, so `import stablenets` is fast.
"""

from typing import Any

from stablenets.lazy import lazy_exports

# fmt: off
families = (
    "Antisymmetric", "AntisymmetricRNN", "CoRNN", "Distributed", "ExpRNN", "GRU",
    "GatedAntisymmetricRNN", "HDNN", "Hamiltonian", "LSTM", "Leapfrog", "LeapfrogHaber", "MS1",
    "MS2", "MS3", "Midpoint", "Momentum", "Plain", "RNN", "ResNet", "ResNetBN", "RevNet", "RoaMLP",
    "RoaRNN", "SemiImplicit", "Verlet",
)
# fmt: on

load_name, __dir__, __all__ = lazy_exports(
    __name__,
    {
        **dict.fromkeys(families, "stablenets.nets"),
        "Flow": "stablenets.engine.flow",
        "Recurrence": "stablenets.engine.recurrence",
        "Reversible": "stablenets.engine.blocks",
        "probes": "stablenets.probes",
        "resolve": "stablenets.config.resolving",
        "train": "stablenets.training.run",
    },
)
__all__ += ["__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("stablenets")
    return load_name(name)
