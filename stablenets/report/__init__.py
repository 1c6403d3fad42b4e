"""Reports on any folder of runs."""
