"""One style of figures, and the plots that recur."""
