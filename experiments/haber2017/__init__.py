"""Haber & Ruthotto 2017, Stable Architectures for Deep Neural Networks."""

from . import claims, figures
from .runs import paper as PAPER

__all__ = ["PAPER", "claims", "figures"]
