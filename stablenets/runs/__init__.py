"""Run folders: status, configuration, provenance, metrics, checkpoints and weights of a run."""
