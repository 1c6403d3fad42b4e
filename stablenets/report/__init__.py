"""Reports on claims and runs.

`store` reads run folders into data frames, and `ledgers` reads ledgers into the same ones.
`configurations` aggregates them over seeds. `run_store` writes tables and the figures of `figures`.
`html_page` writes one page from `claim_views`, `comparison` and `chart_specs`; its template,
scripts and style are in assets/.
"""
