"""Colour and marker of the paper's networks."""

from __future__ import annotations

from stablenets.plotting.looks import family_looks

from ..networks import NETWORKS

# H1 and H1-J2 are one family with two interconnections
KEYS = {name: "hdnn_ones" if net.options else net.family for name, net in NETWORKS.items()}
LOOKS = {name: family_looks({key: name})[key] for name, key in KEYS.items()}
LOOKS["MS2"]["colour"] = "black"  # the blue that all papers share is too near to that of MS1
