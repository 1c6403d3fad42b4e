"""Galimberti et al. 2023, Hamiltonian Deep Neural Networks."""

from . import claims, figures
from .runs import paper as PAPER

__all__ = ["PAPER", "claims", "figures"]
