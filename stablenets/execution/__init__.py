"""Runs in processes of their own: the jobs of a sweep, the workers of a reproduction."""
