"""Execution: the protocol of a job, one scheduler, and the executors that it gives jobs to."""
