"""All families on one bench under one budget."""

from . import budget_tables, figures, tables
from .runs import paper as PAPER

__all__ = ["PAPER", "budget_tables", "figures", "tables"]
