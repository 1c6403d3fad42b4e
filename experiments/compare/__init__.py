"""All families on one bench under one budget."""

from . import figures, tables
from .runs import paper as PAPER

__all__ = ["PAPER", "figures", "tables"]
