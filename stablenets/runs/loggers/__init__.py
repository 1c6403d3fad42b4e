"""Loggers of runs: the seam (`logger`), what goes through it (`run_log`, `history`), and wandb."""

from stablenets.runs.loggers.wandb_offline import sync_runs as sync_runs
