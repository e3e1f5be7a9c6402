"""Colours by role (Okabe-Ito: told apart by readers with any colour vision)."""

COLOURS = {"plain": "#000000", "cached": "#0072B2", "control": "#009E73", "fcr": "#D55E00", "reference": "#777777"}
# For what has no role.
SERIES = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
