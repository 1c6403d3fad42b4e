"""A run is a folder: its config, status, provenance, metrics, probe arrays, weights, checkpoints
and log.
"""
