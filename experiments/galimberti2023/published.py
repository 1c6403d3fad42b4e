"""Numbers that the authors publish, and results of their code as we ran it.

The article of 2023 was not available. Its numbers come from the authors' code and from their paper
of 2021, whose network H2 is our H1-J2: Galimberti, Xu, Ferrari-Trecate, A unified framework for
Hamiltonian deep neural networks, conference L4DC. Sources: docs/papers/galimberti2023.md.
"""

COLUMNS = ("MS1", "MS2", "MS3", "H1", "H1-J2")  # networks in the columns of Table 1
# Galimberti et al. 2021, Table 1: test accuracy in % by data set and number of layers, without
# intervals.
TABLE_1 = {
    ("swiss_roll", 4): (77.1, 79.7, 90.1, 93.6, 98.9),
    ("swiss_roll", 8): (91.5, 90.7, 87.0, 99.0, 99.4),
    ("swiss_roll", 16): (97.7, 99.7, 97.1, 99.8, 99.8),
    ("swiss_roll", 32): (100.0, 100.0, 98.4, 99.8, 99.2),
    ("swiss_roll", 64): (100.0, 100.0, 100.0, 99.8, 100.0),
    ("double_moons", 1): (92.5, 91.3, 97.6, 100.0, 99.9),
    ("double_moons", 2): (98.2, 94.9, 99.8, 100.0, 100.0),
    ("double_moons", 4): (99.5, 100.0, 100.0, 100.0, 100.0),
}
# Test accuracy in % of the authors' code with its defaults (T = 1.2, 50 epochs): medians of seeds 0
# to 2. The columns are COLUMNS and H2. Two repairs were needed to train with a current torch.
AUTHORS_CODE = {
    ("swiss_roll", 4): (66.72, 65.97, 80.25, 90.75, 74.30, 85.47),
    ("swiss_roll", 8): (72.20, 79.77, 77.50, 92.88, 77.20, 89.68),
    ("swiss_roll", 16): (73.08, 79.12, 83.25, 98.00, 80.83, 82.73),
    ("swiss_roll", 32): (65.65, 76.48, 86.05, 99.28, 92.55, 92.55),
    ("swiss_roll", 64): (66.53, 81.50, 97.20, 98.70, 79.20, 93.95),
    ("double_moons", 1): (86.72, 87.17, 88.30, 90.30, 94.05, 86.17),
    ("double_moons", 2): (86.88, 90.05, 97.97, 99.92, 99.95, 94.85),
    ("double_moons", 4): (89.58, 90.67, 99.92, 100.0, 99.88, 99.98),
}
# Galimberti et al. 2021, Table 2: test accuracy on MNIST in % by number of layers, without
# intervals.
TABLE_2 = {
    "MS1": {2: 97.72, 4: 98.03, 8: 98.05, 16: 98.14},
    "H1-J2": {2: 97.83, 4: 98.02, 8: 98.22, 16: 98.21},
}
NO_LAYERS = 92.47  # Table 2 without layers, in the column of MS1; the column of H1-J2 has 92.41
# Galimberti et al. 2021, Fig. 2: smallest and largest sensitivity norm of H1 with 64 layers, in 960
# iterations on double moons.
STATED_NORMS = (1.0, 17.0)
# Test accuracy in % of the authors' code on the distributed example, with seeds 0 to 2.
AUTHORS_RING = {
    ("swiss_roll", "ring"): (97.67, 100.0, 99.50),
    ("swiss_roll", "full"): (81.15, 72.92, 62.00),
    ("double_circles", "ring"): (98.75, 98.75, 96.40),
    ("double_circles", "full"): (92.90, 95.95, 95.83),
}
# Settings of the authors' code.
BATCH = 125
POINTS = {"swiss_roll": 4000, "double_moons": 2000, "double_circles": 2000}  # of each class
IMAGE_STEPS = {"MS1": 0.4, "H1": 0.5, "H1-J2": 0.05, "H2": 0.05}  # h; the value for H2 is ours
EDGES = {"ring": 3, "full": 8}  # edges of a node, including one to itself
