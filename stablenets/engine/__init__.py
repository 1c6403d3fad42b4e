"""Runs any dynamics over depth or time: steps, fused layers, reversal, operators, norms."""
