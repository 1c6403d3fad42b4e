"""Measurements on networks: what depth does to the signal and to the gradient."""
from stablenets.probes.gradients import StateGradients, log_spaced, weight_gradients
from stablenets.probes.jacobian import FULL_UP_TO, full_jacobian, golub_kahan, singular_values

__all__ = ["FULL_UP_TO", "StateGradients", "full_jacobian", "golub_kahan", "log_spaced", "singular_values", "weight_gradients"]
