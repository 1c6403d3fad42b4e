"""Claims: from a plan of runs to verdicts, tables and figures.

    plan -> work (trainings and studies, each in its folder) -> ledger -> results -> claims, tables,
    figures

Each paper has a folder under experiments/, which defines a `Paper`. `make reproduce-<handle>` runs
it, where the handle is the short name of the paper.
"""
