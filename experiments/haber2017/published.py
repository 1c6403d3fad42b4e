"""Example 1 of the paper, and settings of the authors' later code.

No number from section 6, the experiments, is known to us. Sources: docs/papers/haber2017.md.
"""

# Example 1: the matrix K of three networks. All ten layers share K; tanh, h = 0.1.
EXAMPLE_1 = {
    "K+": ((2.0, -2.0), (0.0, 2.0)),
    "K-": ((-2.0, 0.0), (2.0, -2.0)),
    "K0": ((0.0, -1.0), (1.0, 0.0)),
}
POINTS = ((0.1, 0.1), (-0.1, -0.1), (0.0, 0.5))  # the three inputs of Example 1

# Final times and widths of the swiss roll and of peaks are those of Meganet, the authors' later
# code. The ellipses get the values of the swiss roll. Meganet has no leapfrog network; ours gets
# the values of the Verlet network.
FINAL_TIMES = {"ellipses": 20.0, "swiss_roll": 20.0, "peaks": 5.0}
WIDTHS = {"ellipses": 4, "swiss_roll": 4, "peaks": 8}
HALF_WIDTHS = {"ellipses": 2, "swiss_roll": 2, "peaks": 8}  # widths of Verlet and leapfrog
