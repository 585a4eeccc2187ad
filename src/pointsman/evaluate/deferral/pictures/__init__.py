"""The pictures of a deferral bench, from saved rows and from an atlas.

Takes `records.DeferralRows` or an `atlas.Atlas`; gives `plots.Picture` values. `curves` and `areas` draw the rows,
`maps` the atlas; below them are `series` (what is drawn), `looks` (how) and `placing` (names that don't overlap). Draws
on the sheet of `evaluate.plots`, without a window or any global figure, and writes no file.
"""

from __future__ import annotations

from pointsman.evaluate.deferral.pictures.areas import plot_areas, plot_coverage, plot_probes
from pointsman.evaluate.deferral.pictures.curves import plot_curve_gains, plot_curves
from pointsman.evaluate.deferral.pictures.maps import plot_heat, plot_likeness

__all__ = [
    "plot_areas",
    "plot_coverage",
    "plot_curve_gains",
    "plot_curves",
    "plot_heat",
    "plot_likeness",
    "plot_probes",
]
