"""The papers, each in a folder: which runs it plans, its studies, claims and figures.

A new paper is a folder and a line in `PAPERS`. A wheel carries this folder as
`stablenets.experiments`. So imports in it are relative, and `stablenets.claims.loader` loads it.
"""

# The module of each paper, which defines PAPER, by the paper's handle.
PAPERS = {
    "haber2017": ".haber2017",
    "chang2018": ".chang2018",
    "galimberti2023": ".galimberti2023",
    "ceni2025": ".ceni2025",
}
# What is run and shown like a paper, but claims nothing: `reproduce all` leaves it out.
COMPARISONS = {"compare": ".compare"}
