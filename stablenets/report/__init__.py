"""Tables and figures of any folder of runs."""
