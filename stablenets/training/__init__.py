"""Training: the entry point `run.train`, the loop, losses, optimisers, schedules and records."""
