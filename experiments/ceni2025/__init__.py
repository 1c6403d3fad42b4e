"""Ceni 2025, Random Orthogonal Additive Filters: what its abstract claims, and what we add to
it.
"""

from functools import partial

from stablenets.claims.claim import Claim, Drawing, Paper

from . import (
    beside_lstm,
    depth,
    filters,
    memory,
    memory_controls,
    pixels,
    search,
    sensitivity,
    theory,
    trained,
)
from .plan import plan

ABSTRACT = "Abstract"
CLAIMS = (
    Claim(
        "1",
        "Gradients neither vanish nor explode: singular values of the Jacobian of all layers keep"
        " their size, within analytical bounds, at any depth",
        ABSTRACT,
        ("spectra", "trained", "trained_in_time"),
        theory.bounded,
        "spectrum",
    ),
    Claim(
        "2",
        "An MLP of 50,000 layers with filters is trained by plain backpropagation",
        ABSTRACT,
        ("deep", "no_layers", "frozen_layers", "peak"),
        depth.trains,
        "deep",
    ),
    Claim(
        "3",
        "A one-layer vanilla RNN with a filter learns dependencies 10,000 time steps back",
        ABSTRACT,
        ("adding", "copy"),
        memory.remembers,
        "memory",
    ),
    Claim(
        "4",
        "psMNIST: test accuracy above 94 % in the first epoch",
        ABSTRACT,
        ("first",),
        pixels.first_epoch,
        "pixels",
        "> 94 %",
    ),
    Claim(
        "5",
        "psMNIST: test accuracy above 98 % after ten epochs",
        ABSTRACT,
        ("pixels", "hidden"),
        pixels.tenth_epoch,
        "pixels",
        "> 98 %",
    ),
    Claim(
        "6",
        "Simpler yet more effective than LSTM",
        ABSTRACT,
        ("first", "first_lstm", "pixels", "pixels_lstm"),
        beside_lstm.beats_lstm,
        "sizes",
    ),
    Claim(
        "7",
        "Control: pixels in their order are read as well, and the accuracy does not hang on one"
        " number",
        "not in the paper: our control",
        ("control",),
        sensitivity.controlled,
        "sensitivity",
        "not stated",
    ),
    Claim(
        "8",
        "Approximate dynamical isometry: singular values lie tightly together, and a random filter"
        " does more for it than the identity",
        "Abstract; the comparison is ours",
        ("spectra",),
        theory.isometry,
        "spectrum",
    ),
    Claim(
        "9",
        "In a short training those filters add that leave a direction where it is, and no others",
        "not in the paper: our finding",
        ("filters", "angles"),
        filters.which_filter,
        "filters",
        "not stated",
    ),
)

TABLES = {
    "spectrum": Drawing(
        ("spectra",),
        theory.spectrum_table,
        "Singular values of ∂x_L/∂x_0 with random weights, width 32: medians over seeds, with the"
        " bounds, products of those of each layer, and their limits for infinite depth.",
    ),
    "trained": Drawing(
        ("trained",),
        trained.trained_table,
        "Nets before and after training, one seed: the farthest singular values of ∂x_L/∂x_0 of 3"
        " test examples, their bounds, the norm of the loss's gradient at the first state, and the"
        " least and largest, over that at the last; how far W and U have moved, over their norm at"
        " first.",
    ),
    "deep": Drawing(
        ("deep",),
        depth.deep_table,
        "Very deep nets of one width and budget: test accuracy in per cent, "
        "losses as means over all images.",
    ),
    "longer": Drawing(
        ("longer",),
        partial(depth.deep_table, groups=("longer",)),
        "The same nets with fewer layers and more steps, at the same rates.",
    ),
    "deep_rates": Drawing(
        ("deep_rates",),
        depth.deep_rates_table,
        "Deep nets: validation accuracy in per cent by learning rate, one seed "
        "outside the other tables.",
    ),
    "memory": Drawing(
        ("adding",),
        memory.memory_table,
        "Memory tasks, as far as they have been run. Error: mean squared error (adding), "
        "share of wrong symbols (copy); medians over seeds, of training losses the largest.",
    ),
    "memory_rates": Drawing(
        ("memory_rates",),
        memory_controls.rates_table,
        "Memory tasks by learning rate, and what else was tried over "
        "the longest sequences; seeds outside the other tables.",
    ),
    "filters": Drawing(
        ("filters", "angles"), filters.filter_table, "The adding problem by filter."
    ),
    "pixels": Drawing(
        ("first",),
        pixels.pixel_table,
        "Images read pixel by pixel: test accuracy in per cent. Minutes are those of the "
        "training steps, timed in turns.",
    ),
    "sizes": Drawing(
        ("sizes",),
        beside_lstm.size_table,
        "By trainable parameters, at the rates of claim 4: test accuracy in per cent.",
    ),
    "sensitivity": Drawing(
        ("sensitivity",),
        sensitivity.sensitivity_table,
        "One number changed at a time: validation accuracy in per cent.",
    ),
    "search": Drawing(
        ("search",),
        search.search_table,
        "The search, best first, by validation accuracy in per cent.",
    ),
    "rates": Drawing(
        ("rates",),
        search.rates_table,
        "Validation accuracy in per cent by learning rate, one seed outside the other tables.",
    ),
}

FIGURES = {
    "spectrum": Drawing(
        ("spectra",),
        theory.spectrum_figure,
        "Smallest to largest singular value of ∂x_L/∂x_0 by depth, random weights, width 32,"
        " medians over seeds; where float64 cannot tell the smallest from 0, the largest alone.",
    ),
    "trained": Drawing(
        ("trained",),
        trained.trained_figure,
        "Nets before and after training: singular values of ∂x_L/∂x_0 at a test "
        "example, and the norm of the loss's gradient by layer or time step; one seed each.",
    ),
    "deep": Drawing(
        ("deep",),
        depth.deep_figure,
        "Very deep nets: loss and gradient norms through training, a line a seed.",
    ),
    "longer": Drawing(
        ("longer",),
        depth.longer_figure,
        "The same nets with fewer layers and more steps, a line a seed.",
    ),
    "memory": Drawing(
        ("adding",),
        partial(memory.memory_figure, "adding"),
        "The adding problem on test sequences, at least 1e-4, a line a seed; dashed: solved.",
    ),
    "copying": Drawing(
        ("copy",),
        partial(memory.memory_figure, "copy"),
        "The copy problem on test sequences, at least 1e-4, a line a seed; dashed: solved.",
    ),
    "filters": Drawing(
        ("filters", "angles"),
        filters.filter_figure,
        "The adding problem by the smallest angle of an eigenvalue of the "
        "filter; dashed: solved, dotted: always saying 1.",
    ),
    "pixels": Drawing(
        ("pixels",),
        pixels.pixel_figure,
        "Permuted pixels, a line a seed: test accuracy by epoch, by the time of the training steps"
        " so far, timed in turns, and that of roaRNN closer. Solid: as many trainable parameters"
        " each; dashed, dotted: more; stars: trainings of one epoch, which decide claim 4.",
    ),
    "sizes": Drawing(
        ("sizes",),
        beside_lstm.size_figure,
        "Test accuracy by trainable parameters, read by an affine map, at the rates of claim 4.",
    ),
    "sensitivity": Drawing(
        ("sensitivity",),
        sensitivity.sensitivity_figure,
        "One number changed at a time from the chosen setting: "
        "validation accuracy; grey, within two points.",
    ),
}

PAPER = Paper(
    "ceni2025", "Ceni 2025, Random Orthogonal Additive Filters", plan, CLAIMS, TABLES, FIGURES
)
