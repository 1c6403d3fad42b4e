"""The one style of all figures: the colour cycle and the settings of figures in a paper."""

# Okabe and Ito's colours, which readers with any kind of colour vision can distinguish.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
PAPER_STYLE = {  # for matplotlib.rc_context
    "font.size": 9,
    "axes.titlesize": 9,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "stablenets",  # a fixed salt: the same figure is the same file
}
