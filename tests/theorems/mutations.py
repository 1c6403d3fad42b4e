"""The mutations: wrong versions of the formulas of theorems, and the tests that must then fail.

`mutate.py` runs them.
"""

from typing import NamedTuple


class Mutation(NamedTuple):
    """One change of the package: in `file`, `old` is replaced by `new`.

    `old` occurs exactly once in the file. In each of the tests an assertion must then fail, in at
    least one case.
    """

    broken: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]  # their names in pytest, without the folder


HABER, CHANG, CENI = (
    "test_haber2017.py::test_",
    "test_chang2018.py::test_",
    "test_ceni2025.py::test_",
)
GALIMBERTI, SPARSE = "test_galimberti2023.py::test_", "test_galimberti2023_distributed.py::test_"
EQ_4_12 = HABER + "eq_4_12_and_3_6_antisymmetric_field_has_no_growing_direction"
EULER = HABER + "eq_3_9_forward_euler_is_stable_iff_gamma_makes_up_for_the_rotation"
STABLE = (
    HABER + "sections_4_2_and_4_3_verlet_and_leapfrog_are_stable_iff_h_times_s_max_is_at_most_2"
)
VERLET_FIELD = HABER + "section_4_2_hamiltonian_inspired_field_has_imaginary_eigenvalues"
FARTHEST = HABER + "example_1_verlet_and_leapfrog_stay_where_forward_euler_drifts"
UNDONE = CHANG + "c1_the_whole_net_is_undone"
INVERSE = CHANG + "c1_a_layer_has_an_inverse_on_both_sides"
DRIFT = CHANG + "drift_of_the_inverse_by_depth_and_step"
SYMPLECTIC = GALIMBERTI + "theorem_1_layers_and_their_products_are_symplectic"
BELOW_ONE = GALIMBERTI + "theorem_1_no_sensitivity_of_a_single_example_is_below_one"
THOUSAND = GALIMBERTI + "theorem_1_at_a_thousand_layers"
PAIRS = GALIMBERTI + "canonical_j_pairs_the_singular_values_and_keeps_volume"
INFLATES = GALIMBERTI + "forward_euler_inflates_volume_layer_by_layer"
PRODUCT = GALIMBERTI + "sensitivities_stay_below_the_product_of_the_layers_bounds"
COUNTEREXAMPLE = GALIMBERTI + "counterexample_of_appendix_iii_grows_linearly"
PATTERN = SPARSE + "half_steps_and_layer_have_the_pattern_t_rt_r"
BACKWARD = SPARSE + "backward_has_the_transposed_pattern"
ON_THE_RING = SPARSE + "on_the_ring_a_half_step_reads_two_hops_and_a_layer_all_nodes"
P_FIRST = "yield ResidualUpdate(p, -h, w.Kq, q, w.bq, A=w.into_p)"
Q_SECOND = "yield ResidualUpdate(q, h, w.Kp, p, w.bp, A=w.into_q)"

MUTATIONS = (
    # Haber & Ruthotto 2017
    Mutation(
        "antisymmetric: sign of K",
        "nets/antisymmetric.py",
        "(K.T - K - K.identity()",
        "(K.T + K - K.identity()",
        (EQ_4_12, EULER),
    ),
    Mutation(
        "antisymmetric: K without its transpose",
        "nets/antisymmetric.py",
        "(K.T - K - K.identity()",
        "(K - K.identity()",
        (EQ_4_12, EULER),
    ),
    Mutation(
        "antisymmetric: sign of γ",
        "nets/antisymmetric.py",
        "- K.identity() * self.gamma) / 2",
        "+ K.identity() * self.gamma) / 2",
        (EQ_4_12, EULER, HABER + "smallest_stable_gamma"),
    ),
    Mutation(
        "antisymmetric: γ for γ/2",
        "nets/antisymmetric.py",
        "K.identity() * self.gamma) / 2",
        "K.identity() * self.gamma * 2) / 2",
        (EQ_4_12, EULER, HABER + "smallest_stable_gamma"),
    ),
    Mutation(
        "antisymmetric: no factor ½",
        "nets/antisymmetric.py",
        "* self.gamma) / 2",
        "* self.gamma)",
        (
            EQ_4_12,
            EULER,
            HABER + "forward_euler_without_gamma_grows_less_the_more_layers_share_the_time",
        ),
    ),
    Mutation(
        "antisymmetric: 2h for h",
        "nets/antisymmetric.py",
        "ResidualUpdate(y, h, w.A",
        "ResidualUpdate(y, 2 * h, w.A",
        (EULER, HABER + "smallest_stable_gamma"),
    ),
    Mutation(
        "antisymmetric: h/2 for h",
        "nets/antisymmetric.py",
        "ResidualUpdate(y, h, w.A",
        "ResidualUpdate(y, h / 2, w.A",
        (EULER, HABER + "no_gamma_helps_where_the_step_is_too_long"),
    ),
    Mutation(
        "σ that is not monotone",
        "engine/activations.py",
        "torch.tanh, torch.tanh_, lambda",
        "torch.sin, torch.sin_, lambda",
        (EQ_4_12, INFLATES + "[H1]"),
    ),
    Mutation(
        "verlet: sign of the first half step",
        "nets/verlet.py",
        "ResidualUpdate(z, -h, w.K.T",
        "ResidualUpdate(z, h, w.K.T",
        (
            VERLET_FIELD,
            STABLE + "[verlet]",
            HABER + "step_of_1_9_is_bounded_and_of_2_1_blows_up[verlet]",
            FARTHEST,
        ),
    ),
    Mutation(
        "verlet: K for K.T",
        "nets/verlet.py",
        "ResidualUpdate(z, -h, w.K.T",
        "ResidualUpdate(z, -h, w.K",
        (VERLET_FIELD, STABLE + "[verlet]"),
    ),
    Mutation(
        "verlet: 1.1h in one half step",
        "nets/verlet.py",
        "ResidualUpdate(y, h, w.K",
        "ResidualUpdate(y, 1.1 * h, w.K",
        (STABLE + "[verlet]", FARTHEST),
    ),
    Mutation(
        "verlet: starts at z = y",
        "nets/verlet.py",
        "return x, torch.zeros_like(x)",
        "return x, x",
        (STABLE + "[verlet]",),
    ),
    Mutation(
        "leapfrog_haber: C C for C.T C",
        "nets/leapfrog.py",
        "(w.K.T * -1.0) @ w.K",
        "(w.K * -1.0) @ w.K",
        (STABLE + "[leapfrog_haber]",),
    ),
    Mutation(
        "leapfrog_haber: sign of C.T C",
        "nets/leapfrog.py",
        "(w.K.T * -1.0) @ w.K",
        "w.K.T @ w.K",
        (
            STABLE + "[leapfrog_haber]",
            HABER + "step_of_1_9_is_bounded_and_of_2_1_blows_up[leapfrog_haber]",
            FARTHEST,
        ),
    ),
    Mutation(
        "leapfrog_haber: h for h²",
        "nets/leapfrog.py",
        "ResidualUpdate(V, h**2,",
        "ResidualUpdate(V, h,",
        (STABLE + "[leapfrog_haber]", FARTHEST),
    ),
    Mutation(
        "leapfrog: h for h²",
        "nets/leapfrog.py",
        "ResidualUpdate(V, -(h**2),",
        "ResidualUpdate(V, -h,",
        (STABLE + "[leapfrog]", DRIFT),
    ),
    Mutation(
        "leapfrog: wrong start",
        "nets/leapfrog.py",
        'if self.initial_velocity == "zero" else x',
        'if self.initial_velocity != "zero" else x',
        (STABLE + "[leapfrog]", STABLE + "[leapfrog_haber]", FARTHEST),
    ),
    Mutation("resnet: K for K.T", "nets/resnet.py", "w.K.T, y", "w.K, y", (HABER + "example_1",)),
    Mutation(
        "resnet: h/2 for h",
        "nets/resnet.py",
        "ResidualUpdate(y, h,",
        "ResidualUpdate(y, h / 2,",
        (
            HABER + "example_1",
            HABER + "example_1_against_lemma_1",
            HABER + "example_1_at_a_thousand_layers",
            HABER + "example_1_with_a_tenth_of_the_step",
            HABER + "eq_3_8_does_not_give_3_6_for_a_general_k",
            FARTHEST,
        ),
    ),
    # Chang et al. 2018
    Mutation(
        "an update undone with its own sign",
        "engine/dynamics.py",
        "parts[part] = parts[part] - change(*parts)",
        "parts[part] = parts[part] + change(*parts)",
        (INVERSE, UNDONE, DRIFT),
    ),
    Mutation(
        "updates undone in their own order",
        "engine/dynamics.py",
        "reversed(self.active_updates(w, h))",
        "self.active_updates(w, h)",
        (
            INVERSE + "[hamiltonian]",
            INVERSE + "[leapfrog]",
            UNDONE + "[hamiltonian]",
            UNDONE + "[leapfrog]",
        ),
    ),
    Mutation(
        "parts of a two-step scheme not swapped back",
        "engine/dynamics.py",
        "parts = list(self.swap_parts(state))",
        "parts = list(state)",
        (INVERSE + "[midpoint]", UNDONE + "[midpoint]"),
    ),
    Mutation(
        "hamiltonian: both updates with the same sign",
        "nets/hamiltonian.py",
        "ResidualUpdate(z, -h, w.K2",
        "ResidualUpdate(z, h, w.K2",
        (CHANG + "c5_hamiltonian_field_has_imaginary_eigenvalues",),
    ),
    Mutation(
        "hamiltonian: K for K.T",
        "nets/hamiltonian.py",
        "A=w.K1.T",
        "A=w.K1",
        (
            CHANG + "c5_hamiltonian_field_has_imaginary_eigenvalues",
            SYMPLECTIC + "[Chang]",
            PAIRS + "[Chang]",
        ),
    ),
    Mutation(
        "convolution: adjoint without the flip",
        "engine/operators.py",
        ".transpose(-4, -3).flip(-2, -1)",
        ".transpose(-4, -3)",
        (
            EQ_4_12,
            VERLET_FIELD,
            CHANG + "c5_hamiltonian_field_has_imaginary_eigenvalues",
            CHANG + "c5_midpoint_field_has_imaginary_eigenvalues",
            CHANG + "leapfrog_force_only_pulls_back",
            SYMPLECTIC,
        ),
    ),
    Mutation(
        "midpoint: K + K.T",
        "nets/midpoint.py",
        "K - K.T, **biases",
        "K + K.T, **biases",
        (CHANG + "c5_midpoint_field_has_imaginary_eigenvalues",),
    ),
    Mutation(
        "midpoint: h for 2h",
        "nets/midpoint.py",
        "ResidualUpdate(before, 2 * h,",
        "ResidualUpdate(before, h,",
        (DRIFT,),
    ),
    Mutation(
        "hamiltonian: 4h for h",
        "nets/hamiltonian.py",
        "ResidualUpdate(y, h, w.K1",
        "ResidualUpdate(y, 4 * h, w.K1",
        (DRIFT,),
    ),
    Mutation(
        "leapfrog: a step of 0.1 for any h",
        "nets/leapfrog.py",
        "ResidualUpdate(V, -(h**2),",
        "ResidualUpdate(V, -0.01,",
        (
            DRIFT,
            CHANG + "drift_in_float32_beyond_use",
            CHANG + "drift_grows_with_the_step[leapfrog]",
        ),
    ),
    Mutation(
        "leapfrog: sign of the force",
        "nets/leapfrog.py",
        "ResidualUpdate(V, -(h**2),",
        "ResidualUpdate(V, h**2,",
        (CHANG + "leapfrog_force_only_pulls_back", STABLE + "[leapfrog]"),
    ),
    # Galimberti et al. 2023
    Mutation(
        "an update that reads the state before the layer",
        "engine/dynamics.py",
        "parts[part] = add_change(parts[part], change(*parts))",
        "parts[part] = add_change(parts[part], change(*state))",
        (
            SYMPLECTIC + "[H2]",
            SYMPLECTIC + "[MS3]",
            PAIRS,
            GALIMBERTI + "ms1_keeps_volume",
            INVERSE + "[hamiltonian]",
            STABLE + "[verlet]",
            PATTERN,
            COUNTEREXAMPLE,
        ),
    ),
    Mutation(
        "semi_implicit: X for X.T",
        "nets/semi_implicit.py",
        "Kq.T.mixed(X[0].mT)",
        "Kq.T.mixed(X[0])",
        (SYMPLECTIC + "[H2, other X]", SYMPLECTIC + "[singular X]", PATTERN),
    ),
    Mutation(
        "semi_implicit: K for K.T",
        "nets/semi_implicit.py",
        "(Kp.T, Kq.T) if X is None",
        "(Kp, Kq.T) if X is None",
        (SYMPLECTIC + "[H2]", PAIRS + "[H2]"),
    ),
    Mutation(
        "semi_implicit: sign of p",
        "nets/semi_implicit.py",
        "ResidualUpdate(p, -h,",
        "ResidualUpdate(p, h,",
        (
            COUNTEREXAMPLE,
            GALIMBERTI + "counterexample_does_not_depend_on_how_slowly_it_turns[0.1-6.389]",
        ),
    ),
    Mutation(
        "semi_implicit: half steps swapped",
        "nets/semi_implicit.py",
        f"{P_FIRST}\n        {Q_SECOND}",
        f"{Q_SECOND}\n        {P_FIRST}",
        (PATTERN, BACKWARD, COUNTEREXAMPLE),
    ),
    Mutation(
        "semi_implicit: 4h for h",
        "nets/semi_implicit.py",
        "ResidualUpdate(p, -h,",
        "ResidualUpdate(p, -4 * h,",
        (PRODUCT + "[H2]", PRODUCT + "[ring]", COUNTEREXAMPLE),
    ),
    Mutation(
        "semi_implicit: a random X that is orthogonal",
        "nets/semi_implicit.py",
        "torch.randn(m, m) / m**0.5",
        "torch.linalg.qr(torch.randn(m, m)).Q",
        (GALIMBERTI + "theorem_1_with_the_wrong_transpose_fails_for_a_random_x",),
    ),
    Mutation(
        "ms3: K for K.T",
        "nets/ms.py",
        "A=w.K1.T",
        "A=w.K1",
        (SYMPLECTIC + "[MS3]", PAIRS + "[MS3]"),
    ),
    Mutation(
        "ms1: 4h for h",
        "nets/ms.py",
        "ResidualUpdate(z, -h, w.K0.T",
        "ResidualUpdate(z, -4 * h, w.K0.T",
        (PRODUCT + "[MS1]",),
    ),
    Mutation(
        "ms2: K + K.T",
        "nets/ms.py",
        '"A": K - K.T',
        '"A": K + K.T',
        (INFLATES + "[MS2]", BELOW_ONE + "[MS2]", PRODUCT + "[MS2]"),
    ),
    Mutation(
        "every step leaks a tenth of the state",
        "engine/dynamics.py",
        "parts[part] = add_change(parts[part], change(*parts))",
        "parts[part] = add_change(0.9 * parts[part], change(*parts))",
        (BELOW_ONE, THOUSAND, PAIRS, GALIMBERTI + "ms1_keeps_volume"),
    ),
    Mutation(
        "every update leaks a tenth of the state",
        "engine/updates.py",
        "torch.add(parts[update.part],",
        "torch.add(0.9 * parts[update.part],",
        (BELOW_ONE + "[H1]", BELOW_ONE + "[H1-J2]", THOUSAND + "[H1]", INFLATES + "[H1]"),
    ),
    Mutation(
        "hdnn: J symmetric",
        "nets/hdnn.py",
        "torch.cat([-one, zero], 1)",
        "torch.cat([one, zero], 1)",
        (INFLATES + "[H1]", BELOW_ONE + "[H1]"),
    ),
    Mutation(
        "hdnn: J of ones symmetric",
        "nets/hdnn.py",
        "return upper - upper.T",
        "return upper + upper.T",
        (INFLATES + "[H1-J2]",),
    ),
    Mutation(
        "hdnn: K for K.T",
        "nets/hdnn.py",
        "K.T.mixed(J[0])",
        "K.mixed(J[0])",
        (INFLATES + "[H1]", INFLATES + "[H1-J2]"),
    ),
    Mutation(
        "hdnn: 4h for h",
        "nets/hdnn.py",
        "ResidualUpdate(y, h,",
        "ResidualUpdate(y, 4 * h,",
        (
            PRODUCT + "[H1]",
            INFLATES,
            GALIMBERTI + "counterexample_by_forward_euler_grows_faster_and_inflates",
        ),
    ),
    Mutation(
        "distributed: one kernel dense",
        "nets/distributed.py",
        "Kq.masked(R), bp",
        "Kq, bp",
        (PATTERN, BACKWARD, ON_THE_RING),
    ),
    Mutation(
        "distributed: R.T for R",
        "nets/distributed.py",
        "Kp.masked(R), Kq",
        "Kp.masked(R.mT), Kq",
        (PATTERN,),
    ),
    Mutation(
        "a ring with its neighbours two away",
        "nets/distributed.py",
        "distance <= 1",
        "distance <= 2",
        (ON_THE_RING,),
    ),
    # Ceni 2025
    Mutation(
        "filter: a matrix that is not orthogonal",
        "nets/filters.py",
        "return Q * R",
        "return 1.5 * Q * R",
        (
            CENI + "b1_every_singular_value_of_a_step",
            CENI + "b1_without_the_weights_the_jacobian_is_alpha_times_an_orthogonal_matrix",
            CENI + "b2_every_singular_value_over_depth",
            CENI + "b3_b4_gradients_of_states_and_weights",
            CENI + "b5_convex_states_stay_in_their_ball",
            CENI + "b1_b2_b5_over_time",
            CENI + "b6_bounds_do_not_depend_on_depth",
            CENI + "fixed_beta_in_the_convex_form_vanishes",
        ),
    ),
    Mutation(
        "filter: α = 1 for the convex 1 - β",
        "nets/filters.py",
        "alpha=1 - beta if",
        "alpha=1.0 if",
        (
            CENI + "b5_convex_states_stay_in_their_ball",
            CENI + "b6_bounds_do_not_depend_on_depth",
            CENI + "b6_limits_are_reached",
            CENI + "fixed_beta_in_the_convex_form_vanishes",
            CENI + "spectra_at_2000_layers",
            CENI + "spectra_tighten_on_1_over_e_with_depth",
        ),
    ),
    Mutation(
        "filter: β = c / sqrt(L) for c / L",
        "nets/filters.py",
        "self.beta / depth if",
        "self.beta / depth**0.5 if",
        (
            CENI + "b6_limits_are_reached",
            CENI + "spectra_at_2000_layers",
            CENI + "spectra_tighten_on_1_over_e_with_depth",
        ),
    ),
    Mutation(
        "roamlp: no α",
        "nets/roamlp.py",
        "self.alpha * (x @ w.O.mT)",
        "(x @ w.O.mT)",
        (
            CENI + "b1_every_singular_value_of_a_step",
            CENI + "b2_every_singular_value_over_depth",
            CENI + "b5_convex_states_stay_in_their_ball",
            CENI + "b6_bounds_do_not_depend_on_depth",
        ),
    ),
    Mutation(
        "roamlp: no β",
        "nets/roamlp.py",
        "self.beta * self.σ(",
        "self.σ(",
        (
            CENI + "b1_every_singular_value_of_a_step",
            CENI + "b2_every_singular_value_over_depth",
            CENI + "b6_bounds_do_not_depend_on_depth",
        ),
    ),
    Mutation(
        "fused backward: no α",
        "engine/scan.py",
        "g[source].addmm_(OT, after, alpha=carry)",
        "g[source].addmm_(OT, after)",
        (CENI + "b3_b4_gradients_of_states_and_weights",),
    ),
    Mutation(
        "fused backward: O for O.T",
        "engine/scan.py",
        "g[source].addmm_(OT, after, alpha=carry)",
        "g[source].addmm_(OT.mT, after, alpha=carry)",
        (CENI + "b3_b4_gradients_of_states_and_weights",),
    ),
    Mutation(
        "fused backward: no β in dLoss/dW",
        "engine/scan_autograd.py",
        "add_products(found.K, chunk, δ, x, scale)",
        "add_products(found.K, chunk, δ, x, 1.0)",
        (CENI + "b3_b4_gradients_of_states_and_weights",),
    ),
    Mutation(
        "roarnn: α and β swapped",
        "nets/roarnn.py",
        "alpha=self.alpha, beta=self.beta",
        "alpha=self.beta, beta=self.alpha",
        (
            CENI + "b1_b2_b5_over_time",
            CENI + "random_filter_has_a_narrower_spectrum_than_identity_if_weights_are_shared",
        ),
    ),
    Mutation(
        "roarnn: a random filter that is the identity",
        "nets/roarnn.py",
        "self.orthogonal(1, width)[0]",
        "torch.eye(width)",
        (CENI + "random_filter_has_a_narrower_spectrum_than_identity_if_weights_are_shared",),
    ),
)
