"""The engine: runs any family over depth (`flow`) or over time (`recurrence`)."""
