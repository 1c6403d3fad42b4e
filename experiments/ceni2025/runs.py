"""The runs of each profile; `trainings.py` has how each network is trained.

Groups such as `adding`, `one_epoch` and `ten_epochs` hold roaRNN alone, so that a claim about it
does not wait for the networks beside it. `first_devised` has other networks that were devised
against vanishing gradients, after their rates are chosen by `devised_rates`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from stablenets.claims.grid import Grid, Seeds, grid, per_profile, seeds, tuning_seeds
from stablenets.claims.paper import Paper

from .published import DEPTH, LENGTH
from .search_space import FIRST_SEED
from .studies.peak import PeakMemory
from .studies.spectra import CASES, JacobianSpectrum, SpectrumBySize
from .studies.step_time import StepTime
from .studies.trained import FilterAngle, TrainedSpectrum
from .studies.weight_gradients import GRADIENT_CASES, WeightGradients
from .trainings import DEEP, DEVISED, FAMILIES, PIXELS, deep_run, memory_run, pixel_run
from .trials import (
    adding_trial,
    chrono,
    chrono_reader,
    copying_trial,
    lag_run,
    near_convex,
    rate_trials,
    searched_reader,
    varied_readers,
)

BASELINES = ["gru", "rnn"]  # beside roaRNN and LSTM
LONGER = ["roamlp", "tanh", "frozen", "none", "resnet"]  # kinds with fewer layers and more steps
DEEP_RATE_GRID = [0.003, 0.01, 0.03, 0.1, 0.3]
MEMORY_RATE_GRID = (0.001, 0.003, 0.01, 0.03, 0.06)
# Settings of roaRNN that were tried for adding over the longest sequences: size of U, rate, share
# of the steps in which the rate rises, and how many seeds after the first one.
TRIED_ADDING = (
    *((10.0, rate, 0.3, (0,)) for rate in MEMORY_RATE_GRID[1:]),
    (10.0, 0.04, 0.1, (0, 1)),
    (40.0, 0.04, 0.1, (1, 2)),
    (40.0, 0.06, 0.1, (0, 1)),
)
TRIED_COPYING = ((0.03, 1), (0.06, 1), (0.03, 2))  # rate, and factor of the epochs
UNCLIPPED = {"optim.clip_norm": None}
READOUT_ONLY = {"optim.frozen": ["W", "U", "b"]}
# A start that is not designed for a task: a filter as it is drawn, the convex form with β = 1/T.
# Rate and warm-up are those of the designed start; they are to be chosen before these runs.
RANDOM_START = {
    "net.filter": "haar",
    "net.alpha": None,
    "net.beta": 1.0,
    "net.beta_scaling": "depth",
    "net.input_init": "normal",
    "net.input_scale": 1.0,
    "net.bias_init": 0.0,
    "net.gain": 1.0,
}


SEEDS = seeds(smoke=1, quick=3, full=3, paper=3)
RUN_SEEDS = seeds(smoke=1, quick=1, full=3, paper=3)
ONE_SEED = seeds(smoke=1, quick=1, full=1, paper=3)
LAYERS = [10, 30, 100, 300, 1000, 3000, 10_000, DEPTH]
LAYERS_BY_PROFILE = per_profile(
    smoke=[4, 8], quick=[10, 30, 100, 300, 2000], full=LAYERS, paper=LAYERS
)
SPECTRUM_WIDTHS = [32, 128, 512]

# Very deep networks
IMAGES = per_profile(
    smoke={"name": "digits", "limit": 64},
    quick={"name": "digits"},
    full={"name": "mnist", "limit": 10_000},
    paper={"name": "mnist"},
)
DEEPEST = per_profile(smoke=50, quick=2000, full=DEPTH, paper=DEPTH)
LONGER_DEPTH = per_profile(smoke=4, quick=100, full=1000, paper=1000)
DEEP_EPOCHS = per_profile(smoke=1, quick=3, full=1, paper=5)
deep = partial(grid, deep_run, dataset=IMAGES, epochs=DEEP_EPOCHS)

# Memory tasks: lags, epochs by lag, and training steps in an epoch
LONGEST = per_profile(smoke=10, quick=200, full=LENGTH, paper=LENGTH)
SHORTER = per_profile(smoke=[5], quick=[100], full=[100, 1000], paper=[100, 1000])
ALL_LAGS = [100, 1000, LENGTH]
STEPS = per_profile(smoke=2, quick=50, full=50, paper=50)
SHORT_BUDGET = {100: 40, 1000: 8, LENGTH: 8}
EPOCHS = {
    "adding": per_profile(
        smoke={5: 1, 10: 1},
        quick={100: 8, 200: 8},
        full=SHORT_BUDGET,
        paper=dict.fromkeys(ALL_LAGS, 80),
    ),
    "copy": per_profile(
        smoke={5: 1, 10: 1},
        quick={100: 8, 200: 8},
        full=SHORT_BUDGET | {LENGTH: 16},
        paper=dict.fromkeys(ALL_LAGS, 80),
    ),
}


def memory_grid(task: str, make: Any = lag_run, **axes: Any) -> Grid:
    """The grid of a memory task with the budgets of each profile."""
    return grid(make, task=task, epochs=EPOCHS[task], steps=STEPS, **axes)


def memory_baselines(task: str) -> Grid:
    """The networks beside roaRNN at all lags."""
    own = partial(memory_grid, task)
    return (
        own(
            family=["lstm", *BASELINES],
            length=per_profile(smoke=[5, 10], quick=100, full=100, paper=ALL_LAGS),
            seed=seeds(smoke=1, quick=1, full=3, paper=3),
        )
        + own(family="lstm", length=per_profile(quick=200, full=1000), seed=seeds(quick=1, full=3))
        + own(family="lstm", length=per_profile(full=LENGTH), seed=seeds(full=1))
        + own(family=BASELINES, length=per_profile(full=[1000, LENGTH]), seed=seeds(full=1))
    )


def memory_controls(make: Any, **axes: Any) -> Grid:
    """A control at all lags; adding over the longest has three seeds."""
    few = {"length": per_profile(smoke=[5, 10], quick=200, full=[100, 1000], paper=[100, 1000])}
    longest = {"length": per_profile(full=LENGTH, paper=LENGTH)}
    one = seeds(smoke=1, quick=1, full=1, paper=1)
    return (
        memory_grid("adding", make, **few, seed=one, **axes)
        + memory_grid("adding", make, **longest, seed=SEEDS, **axes)
        + memory_grid("copy", make, **few, seed=one, **axes)
        + memory_grid("copy", make, **longest, seed=seeds(full=1, paper=3), **axes)
    )


def memory_rates(task: str) -> Grid:
    """All families by rate, at one lag."""
    return memory_grid(
        task,
        length=per_profile(smoke=5, full=100, paper=100),
        family=list(FAMILIES),
        changes=[{"optim.lr": rate} for rate in MEMORY_RATE_GRID],
        seed=FIRST_SEED,
    )


# Images read pixel by pixel
PERMUTED = per_profile(smoke="psdigits", quick="psdigits", full="psmnist", paper="psmnist")
ORDERED = per_profile(smoke="sdigits", quick="sdigits", full="smnist", paper="smnist")
WIDTH = per_profile(smoke=8, quick=64, full=128, paper=512)
FIRST = per_profile(smoke=1, full=1, paper=1)
TEN = per_profile(smoke=1, quick=10, full=10, paper=10)  # epochs
VARIED_EPOCHS = per_profile(smoke=1, quick=5, full=1, paper=2)
ONE_TUNING_SEED = tuning_seeds(smoke=1, quick=1, full=1, paper=1)
LSTM_TRIALS = [{"optim.lr": rate} for rate in (0.003, 0.01, 0.03)]
LSTM_RATE_OF_ONE_EPOCH = {"optim.lr": PIXELS["mnist"]["rates"]["lstm"]}
FROZEN = [{"optim.frozen": ["W"]}, READOUT_ONLY]
CHRONO_TRIALS = [(1, 0.003), (1, 0.01), (1, 0.03), (1, 0.1), (10, 0.03)]
permuted = partial(grid, pixel_run, dataset=PERMUTED, width=WIDTH)
ordered = partial(
    grid,
    pixel_run,
    dataset=ORDERED,
    width=WIDTH,
    epochs=per_profile(smoke=1, quick=10, full=1, paper=10),
)
filtered = partial(
    grid,
    memory_run,
    task="adding",
    family="roarnn",
    length=per_profile(smoke=10, quick=100, full=1000, paper=1000),
    epochs=per_profile(smoke=1, quick=8, full=8, paper=40),
    steps=50,
)
random_filters = Seeds({"smoke": 2, "quick": 6, "full": 6, "paper": 6}, first=10)
filters = (
    filtered(changes={"net.filter": "haar"}, seed=random_filters)
    + filtered(changes={"net.filter": "haar_fixed_axis"}, seed=SEEDS)
    + filtered(changes=[{"net.filter": name} for name in ("cyclic", "identity")], seed=0)
)
RUNS: dict[str, Grid] = {
    "spectra": grid(JacobianSpectrum, seed=SEEDS, layers=LAYERS_BY_PROFILE, case=list(CASES)),
    "spectra_by_size": grid(
        SpectrumBySize,
        seed=SEEDS,
        filter=["haar", "cyclic", "identity"],
        c=[0.25, 0.5, 1.0, 2.0],
        width=per_profile(smoke=[8], quick=[32, 128], full=SPECTRUM_WIDTHS, paper=SPECTRUM_WIDTHS),
        layers=per_profile(smoke=10, quick=300, full=300, paper=300),
        is_tied=[False, True],
    ),
    "weight_gradients": grid(
        WeightGradients, seed=SEEDS, layers=LAYERS_BY_PROFILE, case=list(GRADIENT_CASES)
    ),
    "deep": deep(kind="roamlp", depth=DEEPEST, seed=SEEDS),
    "no_layers": deep(kind="none", depth=DEEPEST, seed=SEEDS),
    "frozen_layers": deep(kind="frozen", depth=DEEPEST, seed=SEEDS),
    "deep_baselines": deep(kind=["resnet", "plain"], depth=DEEPEST, seed=ONE_SEED)
    + deep(kind="tanh", depth=DEEPEST, seed=seeds(smoke=1, quick=1, paper=3)),
    "longer": grid(
        deep_run,
        dataset=IMAGES,
        kind=LONGER,
        depth=LONGER_DEPTH,
        epochs=per_profile(smoke=2, quick=20, full=10, paper=20),
        seed=SEEDS,
    ),
    "deep_rates": grid(
        deep_run,
        dataset=IMAGES,
        kind=list(DEEP),
        depth=LONGER_DEPTH,
        epochs=DEEP_EPOCHS,
        lr=DEEP_RATE_GRID,
        seed=FIRST_SEED,
    ),
    "trained_deep": deep(kind="roamlp", depth=DEEPEST, seed=0).then(TrainedSpectrum),
    "trained_recurrent": (
        permuted(family="roarnn", epochs=TEN, seed=0)
        + permuted(family="roarnn", epochs=TEN, seed=0, has_hidden_layer=True)
        + memory_grid("adding", family="roarnn", length=LONGEST, seed=0)
        + memory_grid("copy", family="roarnn", length=LONGEST, seed=0)
    ).then(TrainedSpectrum),
    "peak": grid(PeakMemory, layers=DEEPEST),
    **{
        name: runs
        for task in ("adding", "copy")
        for name, runs in {
            task: memory_grid(task, family="roarnn", length=LONGEST, seed=RUN_SEEDS),
            f"{task}_short": memory_grid(task, family="roarnn", length=SHORTER, seed=SEEDS),
            f"{task}_others": memory_baselines(task),
        }.items()
    },
    "short_budget": grid(
        lag_run,
        task="copy",
        length=per_profile(full=LENGTH),
        family="roarnn",
        epochs=SHORT_BUDGET,
        steps=50,
        seed=seeds(full=3),
    ),
    "unclipped": memory_grid(
        "adding",
        family="roarnn",
        length=per_profile(smoke=10, quick=200, full=[1000, LENGTH], paper=[1000, LENGTH]),
        seed=RUN_SEEDS,
        changes=UNCLIPPED,
    )
    + memory_grid(
        "copy",
        family="roarnn",
        length=per_profile(smoke=10, quick=200, full=1000, paper=[1000, LENGTH]),
        seed=RUN_SEEDS,
        changes=UNCLIPPED,
    ),
    "near_convex": memory_grid("adding", near_convex, length=LONGEST, seed=0)
    + memory_grid("copy", near_convex, length=LONGEST, seed=0),
    "readout_only": memory_controls(lag_run, family="roarnn", changes=READOUT_ONLY),
    "chrono": memory_controls(chrono),
    "memory_rates": grid(
        adding_trial,
        trial=list(TRIED_ADDING),
        length=per_profile(smoke=10, full=LENGTH, paper=LENGTH),
        steps=STEPS,
    )
    + memory_rates("adding")
    + memory_rates("copy")
    + grid(
        copying_trial,
        trial=list(TRIED_COPYING),
        length=per_profile(smoke=10, full=LENGTH, paper=LENGTH),
        epochs=EPOCHS["adding"],
        steps=STEPS,
    ),
    "random_start": grid(
        lag_run,
        task="adding",
        length=per_profile(smoke=10, paper=LENGTH),
        family="roarnn",
        epochs=EPOCHS["adding"],
        steps=STEPS,
        seed=random_filters,
        changes=RANDOM_START,
    )
    + grid(
        lag_run,
        task="copy",
        length=per_profile(smoke=10, paper=LENGTH),
        family="roarnn",
        epochs=EPOCHS["copy"],
        steps=STEPS,
        seed=random_filters,
        changes=RANDOM_START,
    ),
    "filters": filters,
    "filter_angles": filters.then(FilterAngle),
    "rates": grid(
        rate_trials,
        dataset=PERMUTED,
        family=list(FAMILIES),
        width=WIDTH,
        limit=per_profile(smoke=64, quick=None, full=None, paper=None),
        epochs=VARIED_EPOCHS,
        seed=ONE_TUNING_SEED,
    )
    + grid(
        chrono_reader,
        trial=per_profile(smoke=[(1, 0.01)], full=CHRONO_TRIALS, paper=CHRONO_TRIALS),
        dataset=PERMUTED,
        width=WIDTH,
        seed=ONE_TUNING_SEED,
    )
    + permuted(
        changes=per_profile(smoke=[LSTM_TRIALS[1]], full=LSTM_TRIALS, paper=LSTM_TRIALS),
        family="lstm",
        epochs=TEN,
        seed=ONE_TUNING_SEED,
    ),
    "one_epoch": permuted(family="roarnn", epochs=1, seed=SEEDS),
    "one_epoch_lstm": permuted(family="lstm", epochs=1, seed=SEEDS),
    "one_epoch_others": permuted(family=BASELINES, epochs=1, seed=ONE_SEED),
    "first_devised": permuted(
        family=list(DEVISED), epochs=FIRST, seed=seeds(smoke=1, full=3, paper=3)
    ),
    "devised_rates": grid(
        rate_trials,
        dataset=PERMUTED,
        family=list(DEVISED),
        width=WIDTH,
        limit=per_profile(smoke=64, full=None, paper=None),
        epochs=FIRST,
        seed=ONE_TUNING_SEED,
    ),
    "ten_epochs": permuted(family="roarnn", epochs=TEN, seed=SEEDS),
    "ten_epochs_lstm": permuted(family="lstm", epochs=TEN, seed=SEEDS),
    "ten_epochs_others": permuted(
        family=BASELINES, epochs=TEN, seed=seeds(smoke=1, quick=1, paper=3)
    ),
    "lstm_fast_rate": permuted(
        family="lstm",
        epochs=TEN,
        seed=seeds(smoke=1, full=3, paper=3),
        changes=LSTM_RATE_OF_ONE_EPOCH,
    ),
    "wide": grid(
        pixel_run,
        dataset=PERMUTED,
        family="roarnn",
        width=per_profile(smoke=16, quick=128, full=256, paper=1024),
        epochs=TEN,
        seed=SEEDS,
    ),
    "hidden": permuted(family="roarnn", epochs=TEN, seed=SEEDS, has_hidden_layer=True),
    "hidden_frozen": permuted(
        family="roarnn", epochs=TEN, seed=0, has_hidden_layer=True, changes=FROZEN
    ),
    "hidden_others": permuted(family="lstm", epochs=TEN, seed=0, has_hidden_layer=True),
    "sizes": grid(
        pixel_run,
        dataset=PERMUTED,
        width=per_profile(
            smoke=[4, 8], quick=[32, 64, 128], full=[32, 64, 128, 256], paper=[128, 256, 512, 1024]
        ),
        family=["roarnn", "lstm"],
        epochs=per_profile(smoke=1, quick=5, full=1, paper=1),
        seed=ONE_SEED,
    ),
    "step_time": grid(StepTime, data=PERMUTED, width=WIDTH),
    "ordered": ordered(family="roarnn", seed=SEEDS),
    "ordered_lstm": ordered(family="lstm", seed=RUN_SEEDS),
    "ordered_others": ordered(family=BASELINES, seed=seeds(smoke=1, paper=3)),
    "sensitivity": grid(
        varied_readers,
        dataset=PERMUTED,
        width=WIDTH,
        epochs=VARIED_EPOCHS,
        limit=per_profile(smoke=64, quick=None, full=12_000, paper=None),
        seed=tuning_seeds(smoke=1, quick=1, full=1, paper=3),
    ),
    "search": grid(
        searched_reader,
        number=per_profile(
            smoke=range(-1, 2), quick=range(-1, 4), full=range(-1, 40), paper=range(-1, 40)
        ),
        dataset=PERMUTED,
        width=WIDTH,
        limit=per_profile(smoke=64, quick=None, full=10_000, paper=10_000),
        epochs=per_profile(smoke=1, quick=3, full=3, paper=3),
    ),
}
paper = Paper(
    "ceni2025",
    "Ceni 2025, Random Orthogonal Additive Filters",
    RUNS,
    "A layer is x_{l+1} = α O x_l + β φ(W x_l + b), with a fixed orthogonal matrix O, the "
    "filter. In the convex form α = 1 - β. Where β = 1/L, L is the number of layers. roaMLP has"
    " such layers one above the other, and a W for each layer unless 'one W' is said. roaRNN has"
    " such time steps with one W, and an input U u_t. H is the width.",
)
