"""What is known of the paper's experiments, and settings of the authors' later code.

Of section 6 of the paper no number is known. Sources: docs/papers/haber2017.md.
"""

# Example 1: three networks with the same K in each layer, tanh, h = 0.1, ten layers
EXAMPLE_1 = {
    "K+": ((2.0, -2.0), (0.0, 2.0)),
    "K-": ((-2.0, 0.0), (2.0, -2.0)),
    "K0": ((0.0, -1.0), (1.0, 0.0)),
}
POINTS = ((0.1, 0.1), (-0.1, -0.1), (0.0, 0.5))

# Meganet, the authors' later code, has the final time of the swiss roll and of peaks, and their
# widths. It has no leapfrog network: ours is set as the Verlet network. The ellipses are set as
# the swiss roll.
FINAL_TIMES = {"ellipses": 20.0, "swiss_roll": 20.0, "peaks": 5.0}
WIDTHS = {"ellipses": 4, "swiss_roll": 4, "peaks": 8}
HALF_WIDTHS = {"ellipses": 2, "swiss_roll": 2, "peaks": 8}  # of Verlet and leapfrog
