"""Chang et al. 2018, Reversible Architectures for Arbitrarily Deep Residual Neural Networks."""

from . import claims, figures
from .runs import paper as PAPER

__all__ = ["PAPER", "claims", "figures"]
