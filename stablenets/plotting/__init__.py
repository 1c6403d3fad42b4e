"""The style of all figures, and the plots that several parts of the package draw."""
