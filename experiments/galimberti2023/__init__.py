"""Galimberti et al. 2023, Hamiltonian Deep Neural Networks Guaranteeing Non-vanishing Gradients by
Design: what it claims, as known.
"""

from stablenets.claims.claim import Claim, Drawing, Paper

from . import (
    control,
    depth,
    images,
    planar,
    rings,
    theory,
    through,
    tuning,
    volume,
)
from .plan import plan

CLAIMS = (
    Claim(
        "1",
        "A layer of the semi-implicit H-DNN, and any product of layers, satisfies B.T J B = J for"
        " any weights, any X, before and after training",
        "Abstract; Furieri et al. 2022, App. C (continuous time)",
        ("symplectic", "trained"),
        theory.symplectic,
        "spread",
    ),
    Claim(
        "2",
        "Norms of backward sensitivity matrices are at least 1 at every depth and throughout"
        " training; those of a deep MLP vanish",
        "Theorem 1; L4DC 2021, section 4.3",
        ("depths", "through"),
        through.bounded_below,
        "through",
        "at least 1; MLP of 32 layers: 50 %",
    ),
    Claim(
        "3",
        "What the bound does not tell, by h and by depth: forward Euler (H1, H1-J2, MS2) inflates"
        " volume, semi-implicit Euler and Verlet (H2, MS1, MS3) keep it",
        "not in the paper: our columns",
        volume.GROUPS,
        volume.separates,
        "spread",
        "not stated",
    ),
    Claim(
        "4",
        "Norms of a 64-layer H1 on double moons stay in a small range through training; T and"
        " regularisation control them",
        "L4DC 2021, Fig. 2; abstract",
        ("through", "control"),
        control.exploding,
        "through",
        "1 to 17 (L4DC 2021)",
    ),
    Claim(
        "5",
        "Weights that vary slowly do not prevent exploding gradients: norms grow about linearly"
        " with depth, at any ε for fixed εT",
        "Appendix III, Fig. 5",
        ("counterexample",),
        theory.counterexample,
        "counterexample",
    ),
    Claim(
        "6",
        "MS1, MS2, MS3, H1, H1-J2 and H2 are one equation with different J and K",
        "L4DC 2021, section 3.2",
        ("general",),
        theory.framed,
        "",
    ),
    Claim(
        "7",
        "On swiss roll and double moons accuracy rises with depth, to 100 %, and H1 and H1-J2 are"
        " ahead at few layers",
        "L4DC 2021, Table 1",
        ("table",),
        planar.table_1,
        "planar",
        "97 to 100 % at 16 layers and more (table)",
    ),
    Claim(
        "8",
        "On MNIST MS1 and H1-J2 reach about 98 % from 4 layers on, and 92.4 % without layers (Table"
        " 2); so do H1 and H2 (ours)",
        "L4DC 2021, Table 2",
        ("images",),
        images.table_2,
        "images",
        "MS1, H1-J2 98.0 to 98.2 %; 92.41 and 92.47 % without layers; H1, H2 not known",
    ),
    Claim(
        "9",
        "A distributed H-DNN, block-sparse on a ring, is as good as the dense one; each half step"
        " reads two hops, a layer of the ring of eight every node",
        "authors' code; the paper's numbers are not known",
        ("ring", "reach"),
        rings.distributed,
        "reach",
        "not known",
    ),
    Claim(
        "10",
        "H2 of 1,024 layers trains, with gradients that do not vanish, and keeps for the backward"
        " what a shallow net keeps",
        "follows from Theorem 1",
        ("deep", "memory"),
        depth.trained_deep,
        "deep",
        "not stated",
    ),
)

TABLES = {
    "symplectic": Drawing(
        ("symplectic", "trained"),
        theory.symplectic_table,
        "Largest ‖B.T J B - J‖ / (‖B‖² ‖J‖), examples one by one.",
    ),
    "spread": Drawing(
        ("steps",),
        volume.spread_table,
        "64 layers with random weights: medians over examples and seeds; J is the canonical one.",
    ),
    "depths": Drawing(
        ("depths", "longer"),
        volume.depth_table,
        "Random weights by depth, at fixed time hN and at fixed h: the same.",
    ),
    "through": Drawing(
        ("through", "control"),
        through.through_table,
        "Norms of sensitivities through training, double moons, the authors' way of training: of"
        " single test points, and of the mean over the training batch of 125. alpha: the authors'"
        " penalty, on changes from layer to layer, of the MLP on sizes; decay: ours, on sizes."
        " ‖K_j‖: medians of seeds.",
    ),
    "control": Drawing(
        ("control",),
        control.control_table,
        "H1: the largest norm of a test point through training, over that of the same seed at the"
        " lowest level: geometric means with 95 % intervals, and what it costs. All else: T = 0.8,"
        " alpha 0.0005, decay 0.",
    ),
    "counterexample": Drawing(
        ("counterexample",), theory.counterexample_table, "Appendix III: ‖∂y(T)/∂y(T-t)‖."
    ),
    "general": Drawing(
        ("general",),
        theory.framed_table,
        "The networks against the general form: largest relative differences.",
    ),
    "planar": Drawing(
        ("table",),
        planar.table_1_table,
        "Planar problems: test accuracy in per cent. L4DC 2021: Table 1, single values. Authors'"
        " code: as run by us with its defaults, medians of 3 seeds. Ours: medians over seeds;"
        " intervals, from six seeds on, between order statistics that cover the median with at"
        " least 95 % (at ten seeds with 97.9 %).",
    ),
    "tuning": Drawing(
        ("tuning",),
        tuning.tuning_table,
        "Mean validation accuracy in per cent by final time, seeds that are in no "
        "other table. Best: of several the one in the middle; used: in all other tables.",
    ),
    "images": Drawing(
        ("images",),
        images.table_2_table,
        "Image nets: test accuracy in per cent, means over seeds.",
    ),
    "image_tuning": Drawing(
        ("image_tuning",),
        images.image_tuning_table,
        "Image nets: validation accuracy in per cent by rate, a seed that is in no other table.",
    ),
    "ring": Drawing(
        ("ring",),
        rings.ring_table,
        "Distributed nets: test accuracy in per cent, medians over seeds; intervals, from six "
        "seeds on, between order statistics that cover the median with at least 95 %.",
    ),
    "ring_tuning": Drawing(
        ("ring_tuning",),
        rings.ring_tuning_table,
        "Distributed nets: mean validation accuracy in per cent by h and rate, seeds that are in no"
        " other table. Best: the rate, in the row of its h; used: in the table `ring`.",
    ),
    "memory": Drawing(
        ("memory",),
        depth.memory_table,
        "Kept for the backward of H2 beside the weights, n = 4, batch 125.",
    ),
}

FIGURES = {
    "spread": Drawing(
        volume.GROUPS,
        volume.spread_figure,
        "Random weights N(0, 1), medians: what tells the networks apart, by step, by "
        "depth at fixed time and by depth at fixed step; dashed: the bound 1.",
    ),
    "plain": Drawing(
        ("depths",),
        volume.plain_figure,
        "Random weights: the tanh MLP by depth, each seed and the median, at least 1e-300; "
        "dashed: the bound that the six networks keep.",
    ),
    "through": Drawing(
        ("through",),
        through.through_figure,
        "Sensitivities every 24 iterations, first seed. Above: the norm of the mean of ∂y_N/∂y_l"
        " over the training batch of 125, which the paper draws; grey, the range that L4DC 2021"
        " states for H1. Below: ‖∂y_N/∂y_l‖ of single test points, median and range of 50, for the"
        " first and the last of these layers; dashed, 1. Norms below 1e-18 are drawn there.",
    ),
    "counterexample": Drawing(
        ("counterexample",),
        theory.counterexample_figure,
        "Appendix III: sensitivities by the time they go back.",
    ),
    "planar": Drawing(
        ("table",),
        planar.table_figure,
        "Test accuracy by depth: medians, dots for single seeds; dashed in the same "
        "colour, L4DC 2021 Table 1, which has no H2.",
    ),
    "regions": Drawing(
        ("ways", "table"),
        planar.region_maps,
        "Decision regions of the first seed's deepest nets, with test points.",
    ),
    "propagation": Drawing(
        ("ways", "table"),
        planar.propagation,
        "Swiss roll: the points between the layers, first seed's deepest nets. "
        "Across: the direction that the head reads, which decides at the line.",
    ),
    "images": Drawing(
        ("images",),
        images.table_2_figure,
        "Image nets by depth: means, bars 95 % intervals over seeds.",
    ),
    "reach": Drawing(
        ("reach",),
        rings.reach_figure,
        "What a node of the ring reads, in half a step and in a layer of a trained net: "
        "the change of one node where another is moved alone by 1; blank, none, bit for bit.",
    ),
    "deep": Drawing(
        ("deep", "memory"),
        depth.deep_figure,
        "H2 of 1,024 layers: the loss, gradients by layer, and what is "
        "kept for the backward by depth, beside weights, gradients and Adam's state.",
    ),
}

ANIMATIONS = {
    "layers": Drawing(
        ("ways", "table"),
        planar.moving,
        "Swiss roll: the points on their way through the layers of the first seed's "
        "deepest nets. Across: the direction that the head reads, which decides at the line.",
    ),
}

PAPER = Paper(
    "galimberti2023",
    "Galimberti et al. 2023, Hamiltonian Deep Neural Networks Guaranteeing Non-vanishing Gradients"
    " by Design",
    plan,
    CLAIMS,
    TABLES,
    FIGURES,
    ANIMATIONS,
)
