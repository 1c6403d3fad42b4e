"""Measurements without training, and measurements of trained networks."""
