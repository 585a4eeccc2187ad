"""The pictures of a bench, from saved rows; and those of a reliability check and of one decision.

Takes `rows.Rows` (or bins, or one decision); gives `Picture` values, and their bytes as PNG or SVG.
`bars`, `lines` and `funds` draw the rows, `estimates` the other two; below them are `sheet` (style, title, keys),
`looks` (colours), `labels` (words that fit) and `ends` (names at lines' ends). Draws without a window or any global
figure, and writes no file.
"""

from __future__ import annotations

from pointsman.estimate.calibration import Reliability
from pointsman.evaluate.plots.bars import MOST_MODELS, plot_performance, plot_served
from pointsman.evaluate.plots.estimates import plot_reliability, plot_scores
from pointsman.evaluate.plots.funds import MOST_PANELS, plot_prices, plot_spend
from pointsman.evaluate.plots.labels import short_names
from pointsman.evaluate.plots.lines import Metric, plot_axis, plot_progress
from pointsman.evaluate.plots.sheet import HEAD_IN, MARGIN_IN, WIDTH_IN, Picture, to_png, to_svg

__all__ = [
    "HEAD_IN",
    "MARGIN_IN",
    "MOST_MODELS",
    "MOST_PANELS",
    "WIDTH_IN",
    "Metric",
    "Picture",
    "Reliability",
    "plot_axis",
    "plot_performance",
    "plot_prices",
    "plot_progress",
    "plot_reliability",
    "plot_scores",
    "plot_served",
    "plot_spend",
    "short_names",
    "to_png",
    "to_svg",
]
