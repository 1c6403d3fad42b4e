"""Ceni 2025, Random Orthogonal Additive Filters."""

from . import claims, figures
from .runs import paper as PAPER

__all__ = ["PAPER", "claims", "figures"]
