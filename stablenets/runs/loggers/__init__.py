"""Loggers of runs: their interface (`logger`), their input (`run_log`, `history`), and wandb."""

from stablenets.runs.loggers.wandb_offline import sync_runs as sync_runs
