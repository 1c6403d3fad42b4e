"""The one style of all figures: colours, markers, and the settings of figures in a paper."""

# Okabe and Ito's colours, which readers with any kind of colour vision can distinguish.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
# Beside colours, so that lines can be told apart in grey.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
PAPER_STYLE = {  # for matplotlib.rc_context
    "font.size": 9,
    "axes.titlesize": 9,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "stablenets",  # a fixed salt: the same figure is the same file
}
