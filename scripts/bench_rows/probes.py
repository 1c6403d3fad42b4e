"""The cost of probes.

Golub-Kahan is compared with scipy's svds on the same products, and a default run with its probes
with a run without them.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, svds

from bench_rows.row import Row
from stablenets import data
from stablenets.config import Resolved, resolve
from stablenets.nets import Antisymmetric, Flow
from stablenets.probes import Spectrum, estimate_singular_values
from stablenets.probes.products import JacobianProducts
from stablenets.training.loop import Loop
from stablenets.training.network import build_network
from stablenets.training.progress import Progress
from stablenets.training.signals import StopSignal

CHANNELS, SIZE, DEPTH = 16, 8, 16
ACCURACY = 1e-3


def singular_ends() -> Row:
    """Both ends of the spectrum to the same accuracy; the ceiling is only the products."""
    torch.manual_seed(0)
    net = (
        Flow(Antisymmetric(), CHANNELS, DEPTH, h=0.1, operator="conv")
        .double()
        .requires_grad_(False)
    )
    x = torch.randn(CHANNELS, SIZE, SIZE, dtype=torch.float64)
    n = x.numel()

    def ours() -> Spectrum:
        return estimate_singular_values(net, x, tolerance=ACCURACY)

    def scipys() -> None:
        products = JacobianProducts(net, x[None])
        operator = LinearOperator(
            (n, n), dtype=np.float64, matvec=through(products.jvp), rmatvec=through(products.vjp)
        )
        for end in ("LM", "SM"):
            svds(
                operator,
                k=1,
                which=end,
                tol=ACCURACY,
                return_singular_vectors=False,
                random_state=0,
            )

    steps = len(ours().values)

    def bare() -> None:
        products, v = JacobianProducts(net, x[None]), x.flatten()[None]
        for _ in range(steps):
            products.vjp(products.jvp(v))

    return Row(
        f"both ends of {n:,} singular values",
        ours,
        scipys,
        bare,
        1,
        "spectra",
        f"a convolutional net of {DEPTH} layers, ends known to {ACCURACY:g} after {steps} steps;"
        f" plain: scipy's svds for one value at each end, tol={ACCURACY:g}, on the same products;"
        " ceiling: only the products",
    )


def through(product: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda v: product(torch.from_numpy(np.ascontiguousarray(v)).reshape(1, -1))[0].numpy()


def default_run() -> Row:
    """The run of `make train` without its files.

    It measures gradient norms every 50 steps, and a spectrum before and after training.
    """

    def run(**probe: object) -> Callable[[], str]:
        net = {"family": "antisymmetric", "T": 5.0}
        made = resolve(
            {
                "dataset": {"name": "digits"},
                "net": net,
                "seeds": {},
                "wandb": {},
                "optim": {},
                "probe": probe,
            }
        )
        return lambda: trained(made)

    none = {"every": 0, "spectrum_examples": 0}
    spectra = list(range(1, 20))
    return Row(
        "default run with its probes",
        run(),
        run(every=1, spectrum_epochs=spectra),
        run(**none),
        1,
        "runs",
        "digits, antisymmetric, 64 layers, 20 epochs; plain: norms at every step and a spectrum"
        " every epoch; ceiling: no probes",
    )


def trained(run: Resolved) -> str:
    torch.manual_seed(0)
    dataset = data.load(
        run.dataset,
        run.common,
        root=Path(),
        split_seed=0,
        permutation_seed=0,
        device=torch.device("cpu"),
        download=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        progress = Progress("none", Path(folder) / "log.txt")
        loop = Loop(
            run,
            dataset,
            build_network(run, dataset.facts),
            torch.device("cpu"),
            progress,
            lambda loop: None,
            lambda loop: None,
        )
        progress.start(0, loop.steps)
        with StopSignal() as stop:
            return loop.run(stop)
