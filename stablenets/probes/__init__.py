"""Measurements on networks: what depth does to the signal and to the gradient. docs/probes.md shows
each on our nets and on others'.
"""

from stablenets.probes.gradients import (
    Gradients,
    StateGradients,
    gradient_figure,
    gradient_norms,
    log_spaced,
    slope,
    weight_gradients,
)
from stablenets.probes.hooks import ModuleGradients
from stablenets.probes.isometry import Isometry, isometry_figure, isometry_of, isometry_over
from stablenets.probes.jacobian import (
    FULL_UP_TO,
    full_jacobian,
    full_jacobians,
    layer_jacobians,
    prefixes,
    singular_values,
    spectra_figure,
    suffixes,
)
from stablenets.probes.lanczos import (
    STEPS,
    Density,
    Spectrum,
    density,
    density_figure,
    golub_kahan,
    golub_kahans,
)
from stablenets.probes.maps import NotFinite, composed, flow_maps, inverse_maps, states
from stablenets.probes.memory import kept_bytes, peak_resident
from stablenets.probes.perturbations import (
    by_depth_figure,
    lyapunov,
    perturbation_growth,
    reconstruction_error,
)
from stablenets.probes.sensitivity import (
    sensitivities,
    sensitivity_figure,
    sensitivity_norms,
    symplectic_defect,
)
from stablenets.probes.stability import (
    INTEGRATORS,
    Stability,
    growth,
    largest_step,
    stability_figure,
    stability_of,
)

__all__ = [
    "FULL_UP_TO",
    "INTEGRATORS",
    "STEPS",
    "Density",
    "Gradients",
    "Isometry",
    "ModuleGradients",
    "NotFinite",
    "Spectrum",
    "Stability",
    "StateGradients",
    "by_depth_figure",
    "composed",
    "density",
    "density_figure",
    "flow_maps",
    "full_jacobian",
    "full_jacobians",
    "golub_kahan",
    "golub_kahans",
    "gradient_figure",
    "gradient_norms",
    "growth",
    "inverse_maps",
    "isometry_figure",
    "isometry_of",
    "isometry_over",
    "kept_bytes",
    "largest_step",
    "layer_jacobians",
    "log_spaced",
    "lyapunov",
    "peak_resident",
    "perturbation_growth",
    "prefixes",
    "reconstruction_error",
    "sensitivities",
    "sensitivity_figure",
    "sensitivity_norms",
    "singular_values",
    "slope",
    "spectra_figure",
    "stability_figure",
    "stability_of",
    "states",
    "suffixes",
    "symplectic_defect",
    "weight_gradients",
]
