"""Loggers of runs: where they connect (`run_log`), what they get (`history`), and wandb."""
