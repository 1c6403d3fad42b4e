"""Haber & Ruthotto 2017, Stable Architectures for Deep Neural Networks: what it claims, as far as it is known."""
from experiments.haber2017 import toys
from experiments.haber2017.plan import plan
from stablenets.claims.claim import Claim, Drawing, Paper

CLAIMS = (
    Claim("1", "Example 1: ten layers with K+ drive features apart, with K- they draw together, with K0 they rotate and keep their distances",
          "Example 1, Fig. 1", ("example1",), toys.example_1, "example_1"),
    Claim("2", "More layers or a larger step strengthen this: gradients vanish where Re λ < 0, explode where Re λ > 0, and neither where Re λ = 0",
          "Section 3, Example 1", ("growth", "steps"), toys.growth, "growth"),
    Claim("3", "With antisymmetric weights forward Euler drifts; Runge-Kutta, Verlet, leapfrog and a sufficient γ do not",
          "Section 4.1; authors' later material", ("drift",), toys.drift, "drift"),
)

TABLES = {
    "example_1": Drawing(("example1",), toys.example_1_table, "Example 1: where the three points end, and Lemma 1's factor."),
    "growth": Drawing(("growth", "steps"), toys.growth_table, "Growth of distances and of the gradient J = dY_N/dY_0 by depth and step, toy nets."),
    "drift": Drawing(("drift",), toys.drift_table, "Growth of the signal and extreme singular values of dY_N/dY_0, by integrator."),
}

FIGURES = {
    "example_1": Drawing(("example1",), toys.phase_planes, "Example 1, after Fig. 1 of the paper: force field, hidden states of three points."),
    "growth": Drawing(("growth", "steps"), toys.growth_curves,
                      "Distance of two points and norm of the gradient in the toy nets, by depth and step. Values beyond 1e±18 are drawn there."),
    "drift": Drawing(("drift",), toys.drift_curves,
                     "The signal under five integrators, mean over seeds: at fixed time by depth, and layer by layer at a fixed step."),
}

PAPER = Paper("haber2017", "Haber & Ruthotto 2017, Stable Architectures for Deep Neural Networks", plan, CLAIMS, TABLES, FIGURES)
