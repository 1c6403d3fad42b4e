"""Execution: the protocol of a job, a pool of worker processes, and the jobs of a Hydra sweep."""
