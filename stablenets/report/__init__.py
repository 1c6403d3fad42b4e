"""Reports on any folder of runs.

`store` reads run folders into data frames, `configurations` aggregates them over seeds, `figures`
draws, and `run_store` writes the files.
"""
