"""All families on one bench under one budget."""

from .runs import paper as PAPER

__all__ = ["PAPER"]
