"""Execution: the protocol of a job, one scheduler, and the executors to which it gives jobs."""
