"""Measurements of any `nn.Module`: what depth does to the signal and to the gradient.

docs/probes.md shows each one on a Flow, a ResNet-18 and a transformer. A *map* below is a function
or module (B, *in) -> (B, *out) that treats each example on its own.

Does the gradient reach the first layer?
    gradient_norms            ‖dLoss/dY_l‖ and ‖dLoss/dθ_l‖ by depth; returns GradientNorms
    fit_log_slope             log10 of their factor per layer, from the last layer back to the first
    plot_gradient_norms
  in a training loop of your own:
    ModuleGradients           the same at the modules of any net
    StateGradients            the same at chosen depths of a Flow
    weight_gradient_norms     the same for the weights of chosen layers
    log_spaced_depths         which depths of a deep net to measure

Which directions are kept, stretched or lost?
    full_jacobian             ∂f/∂x at one example
    batch_jacobians           ∂f/∂x at each example of a batch
    singular_values           singular values of ∂f/∂x, by a method that depends on its size
    estimate_singular_values  the largest and smallest ones with bounds, without the matrix; returns
                              a Spectrum
    estimate_batch_singular_values   the same at each example of a batch
    estimate_spectral_density the distribution of all singular values; returns a SpectralDensity
    plot_singular_values, plot_spectral_density

At which layer does it happen?
    flow_maps, inverse_maps   the layers of a Flow as maps, and the inverses of the layers
    compose_maps              one map from several
    layer_states              the states Y_0 ... Y_L
    layer_jacobians           ∂Y_{l+1}/∂Y_l
    prefix_jacobians          ∂Y_l/∂Y_0
    suffix_jacobians          ∂Y_L/∂Y_l

Is the net symplectic?
    sensitivity_matrices      B_l = (∂Y_L/∂Y_l).T
    sensitivity_norms         ‖B_l‖; at least 1 if the layers are symplectic
    symplectic_defect         ‖M.T J M - J‖
    plot_sensitivity_norms

Is the step size stable?
    measure_stability         how far layers are inside the stability region; returns a Stability
    largest_stable_step       the largest step size h that is stable for given eigenvalues
    amplification_factor      the factor |ρ| of one step at z = h λ
    plot_stability_region

Does a small change grow?
    perturbation_growth       how much a random change of the input has grown, by depth
    lyapunov_exponents        the rates at which small changes grow, from largest to smallest
    reconstruction_error      the errors of all states of a reversible flow that is inverted
    plot_by_depth

How close is it to an isometry?
    measure_isometry          how far singular values are from 1; returns an Isometry
    sweep_isometry            the same over a grid of settings
    plot_isometry

What does depth cost in memory?
    kept_bytes                the bytes that a forward pass keeps for the backward pass
    peak_resident_bytes       the largest memory of this process so far

NotFinite is raised where a net has no derivative; every other wrong input raises
`stablenets.errors.BadInput`.
"""

from stablenets.probes.checks import NotFinite
from stablenets.probes.density import (
    SpectralDensity,
    estimate_spectral_density,
    plot_spectral_density,
)
from stablenets.probes.gradients import (
    GradientNorms,
    fit_log_slope,
    gradient_norms,
    log_spaced_depths,
    plot_gradient_norms,
)
from stablenets.probes.hooks import ModuleGradients
from stablenets.probes.integrators import amplification_factor, largest_stable_step
from stablenets.probes.isometry import Isometry, measure_isometry, plot_isometry, sweep_isometry
from stablenets.probes.jacobian import (
    batch_jacobians,
    full_jacobian,
    layer_jacobians,
    prefix_jacobians,
    suffix_jacobians,
)
from stablenets.probes.maps import compose_maps, flow_maps, inverse_maps, layer_states
from stablenets.probes.memory import kept_bytes, peak_resident_bytes
from stablenets.probes.perturbations import (
    lyapunov_exponents,
    perturbation_growth,
    plot_by_depth,
    reconstruction_error,
)
from stablenets.probes.sensitivity import (
    plot_sensitivity_norms,
    sensitivity_matrices,
    sensitivity_norms,
    symplectic_defect,
)
from stablenets.probes.spectrum import (
    Spectrum,
    estimate_batch_singular_values,
    estimate_singular_values,
    plot_singular_values,
    singular_values,
)
from stablenets.probes.stability import Stability, measure_stability, plot_stability_region
from stablenets.probes.taps import StateGradients, weight_gradient_norms

__all__ = [  # noqa: RUF022 (grouped by question, as in the docstring)
    # Does the gradient reach the first layer?
    "gradient_norms",
    "GradientNorms",
    "fit_log_slope",
    "plot_gradient_norms",
    "ModuleGradients",
    "StateGradients",
    "weight_gradient_norms",
    "log_spaced_depths",
    # Which directions are kept, stretched or lost?
    "full_jacobian",
    "batch_jacobians",
    "singular_values",
    "estimate_singular_values",
    "estimate_batch_singular_values",
    "Spectrum",
    "estimate_spectral_density",
    "SpectralDensity",
    "plot_singular_values",
    "plot_spectral_density",
    # At which layer does it happen?
    "flow_maps",
    "inverse_maps",
    "compose_maps",
    "layer_states",
    "layer_jacobians",
    "prefix_jacobians",
    "suffix_jacobians",
    # Is the net symplectic?
    "sensitivity_matrices",
    "sensitivity_norms",
    "symplectic_defect",
    "plot_sensitivity_norms",
    # Is the step size stable?
    "measure_stability",
    "Stability",
    "largest_stable_step",
    "amplification_factor",
    "plot_stability_region",
    # Does a small change grow?
    "perturbation_growth",
    "lyapunov_exponents",
    "reconstruction_error",
    "plot_by_depth",
    # How close is it to an isometry?
    "measure_isometry",
    "Isometry",
    "sweep_isometry",
    "plot_isometry",
    # What does depth cost in memory?
    "kept_bytes",
    "peak_resident_bytes",
    # Errors
    "NotFinite",
]
