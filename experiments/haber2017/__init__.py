"""Haber & Ruthotto 2017, Stable Architectures for Deep Neural Networks: what it claims, as far as
it is known.
"""

from stablenets.claims.claim import Claim, Drawing, Paper

from . import deepest, images, levels, optimiser_race, planar, toys, tuning
from .plan import plan

CLAIMS = (
    Claim(
        "1",
        "Example 1: ten layers with K+ drive features apart, with K- draw them together, with K0"
        " rotate them and keep distances",
        "Example 1, Fig. 1",
        ("example1",),
        toys.example_1,
        "example_1",
    ),
    Claim(
        "2",
        "More layers or a larger step strengthen this: gradients vanish for Re λ < 0, explode for"
        " Re λ > 0, and keep for Re λ = 0",
        "Section 3, Example 1",
        ("growth", "steps"),
        toys.growth,
        "growth",
    ),
    Claim(
        "3",
        "With antisymmetric weights forward Euler drifts; Runge-Kutta, Verlet, leapfrog and a"
        " sufficient γ do not",
        "Section 4.1; authors' later material",
        ("drift",),
        toys.drift,
        "drift",
    ),
    Claim(
        "4",
        "On ellipses, swiss roll and peaks the stable nets are competitive with ResNet at every"
        " depth",
        "Abstract, section 6",
        ("depth",),
        planar.competitive,
        "depth",
        "not known; settings of the authors' Meganet",
    ),
    Claim(
        "5",
        "Multi-level training: prolonged weights start near convergence, and a deep net needs less"
        " work than from scratch",
        "Sections 1 and 5",
        ("levels", "scratch"),
        levels.multilevel,
        "levels",
    ),
    Claim(
        "6",
        "A penalty on the change of weights in time makes them smooth over depth and costs no"
        " accuracy",
        "Section 5",
        ("smooth", "over_time"),
        planar.smooth,
        "smooth",
    ),
    Claim(
        "7",
        "The paper's optimiser, block coordinate descent by Newton and Gauss-Newton steps, is no"
        " worse than Adam at equal time",
        "Section 2",
        ("race",),
        optimiser_race.compared,
        "race",
        "states the method, no comparison",
    ),
    Claim(
        "8",
        "Image nets of 3x3 convolutions: the stable families are on par with ResNet, 4 to 64 layers"
        " deep",
        "Section 6",
        ("images",),
        images.on_par,
        "images",
        "not known",
    ),
)

TABLES = {
    "example_1": Drawing(
        ("example1",),
        toys.example_1_table,
        "Example 1: where the three points end, and Lemma 1's factor.",
    ),
    "growth": Drawing(
        ("growth", "steps"),
        toys.growth_table,
        "Toy nets: growth of distances and of dY_N/dY_0 by depth and step.",
    ),
    "drift": Drawing(
        ("drift",),
        toys.drift_table,
        "Growth of the signal and singular values of dY_N/dY_0 by integrator.",
    ),
    "depth": Drawing(
        ("depth",),
        planar.depth_table,
        "Test accuracy in per cent and gradient norms by depth, trained from scratch.",
    ),
    "deepest": Drawing(
        ("deepest",),
        deepest.deepest_table,
        "Swiss roll: the deepest nets, seeds that are in no other table. In the "
        "antisymmetric net one thing is changed at a time.",
    ),
    "rates": Drawing(
        ("rates",),
        tuning.rates_table,
        "Mean validation accuracy in per cent by the rate of Adam, swiss roll, 64 layers, seeds"
        " that are in no other table. Best: the smallest of the best; used: in all other tables.",
    ),
    "penalties": Drawing(
        ("penalties",),
        tuning.penalties_table,
        "Mean validation accuracy in per cent by the penalty on rough weights, swiss roll, 64"
        " layers level by level, seeds that are in no other table. Best: the largest of the best.",
    ),
    "levels": Drawing(
        ("levels",),
        levels.levels_table,
        "Loss and accuracy in per cent around each doubling, swiss roll.",
    ),
    "work": Drawing(
        ("levels", "scratch"),
        levels.work_table,
        "Layers times epochs to 95 % test accuracy on the swiss roll.",
    ),
    "smooth": Drawing(
        ("smooth", "over_time"),
        planar.smooth_table,
        "With and without the penalty α/(2h) Σ‖θ_j+1 - θ_j‖², swiss roll.",
    ),
    "race": Drawing(
        ("race",),
        optimiser_race.race_table,
        "Block coordinate descent and Adam at equal processor time.",
    ),
    "images": Drawing(
        ("images",),
        images.image_table,
        "Image nets, trained level by level: test accuracy in per cent.",
    ),
}

FIGURES = {
    "example_1": Drawing(
        ("example1",),
        toys.phase_planes,
        "After Fig. 1 of the paper: force field, hidden states of three points.",
    ),
    "growth": Drawing(
        ("growth", "steps"),
        toys.growth_curves,
        "Toy nets: distance of two points and norm of the gradient by depth and step; cut off at"
        " 1e±18.",
    ),
    "drift": Drawing(
        ("drift",),
        toys.drift_curves,
        "The signal under five integrators, mean over seeds: at fixed time by depth, and layer by"
        " layer at a fixed step.",
    ),
    "depth": Drawing(
        ("depth",),
        planar.depth_curves,
        "Test accuracy by depth at fixed final time; bands: 95 % over seeds.",
    ),
    "gradients": Drawing(
        ("depth",),
        planar.gradient_curves,
        "Gradient norms by layer, swiss roll, deepest nets; bands: all seeds. Leapfrog's state has"
        " y_j - y_{j-1} beside y_j: a gradient with respect to it is 1/h times that for a"
        " velocity.",
    ),
    "deepest": Drawing(
        ("deepest",),
        deepest.deepest_curves,
        "Training loss of the deepest nets on the swiss roll: medians of seeds that "
        "are in no other table, and their range.",
    ),
    "regions": Drawing(
        ("regions",), planar.region_maps, "Decision regions of the first seed's nets."
    ),
    "levels": Drawing(
        ("levels", "scratch"),
        levels.level_curves,
        "Training loss over work, first seed. Dots: a net right after its weights were prolonged"
        " from the coarser one.",
    ),
    "level_accuracy": Drawing(
        ("levels", "depth"),
        levels.level_accuracy,
        "Test accuracy by depth, from scratch and level by level.",
    ),
    "smooth": Drawing(
        ("smooth", "over_time"),
        planar.weights_over_time,
        "Weights over depth, without and with the penalty.",
    ),
    "race": Drawing(
        ("race",),
        optimiser_race.race_curves,
        "The objective over the time that block descent takes: medians over seeds and their range.",
    ),
    "images": Drawing(
        ("images",),
        images.image_curves,
        "Image nets, trained level by level; bars: 95 % over seeds.",
    ),
}

PAPER = Paper(
    "haber2017",
    "Haber & Ruthotto 2017, Stable Architectures for Deep Neural Networks",
    plan,
    CLAIMS,
    TABLES,
    FIGURES,
)
