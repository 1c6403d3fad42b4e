"""Claims: from a plan of runs to verdicts, tables and figures.

    plan -> work (trainings and studies, each in its folder) -> ledger -> results -> claims, tables,
    figures

A paper is a folder under experiments/ that fills in a `Paper`; `make reproduce-<handle>` drives it.
"""
