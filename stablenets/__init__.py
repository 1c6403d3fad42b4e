"""Neural networks that are stable by design: layers, training runs and probes.

Four papers propose networks that are designed so that signals and gradients neither vanish nor
explode at great depth: Haber & Ruthotto 2017, Chang et al. 2018, Galimberti et al. 2023, Ceni 2025.
The package implements them and tests when this is true.

A family is one kind of layer (or, for sequences, one kind of recurrent step), defined by its
equation. `Flow` makes an ordinary `torch.nn.Module` from layers of one family. `train` makes a
run, which is one training of a network. `probes` measures any module:

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
        "load_run": "stablenets.training.network",
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
