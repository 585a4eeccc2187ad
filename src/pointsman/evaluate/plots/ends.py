"""Names at the ends of lines, in place of a legend: moved apart, each with a thin leader from where its line ends.

Takes axes with their lines drawn and their limits set, and an `End` a line; draws the names right of the axes.
Decides neither colours nor words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from pointsman.evaluate.plots.labels import apart
from pointsman.evaluate.plots.looks import text_colour
from pointsman.evaluate.plots.sheet import drawable

_GAP_IN = 0.2


@dataclass(frozen=True, slots=True)
class End:
    """Where a line ends in the data (a missing y stands at the foot), what is said there, and how."""

    x: float
    y: float
    words: str
    colour: str
    bold: bool = False


def name_ends(axes: Axes, ends: Sequence[End]) -> None:
    """Write the words right of the axes, as near to their lines' ends as they can stand without touching."""
    points = [_in_axes(axes, end.x, end.y) for end in ends]
    gap = _GAP_IN * axes.figure.dpi / axes.bbox.height
    for end, (x, y), place in zip(ends, points, apart([y for _, y in points], gap, 0.0, 1.0), strict=True):
        leader: dict[str, Any] = {"transform": axes.transAxes, "clip_on": False, "color": end.colour, "linewidth": 0.7}
        axes.plot([x + 0.006, 1.006, 1.03], [y, y, place], **leader)
        at: dict[str, Any] = {"transform": axes.transAxes, "va": "center", "color": text_colour(end.colour)}
        axes.text(1.035, place, drawable(end.words), weight="bold" if end.bold else "normal", **at)


def _in_axes(axes: Axes, x: float, y: float) -> tuple[float, float]:
    """A point of the data as shares of the axes' width and height."""
    at = axes.transData.transform((x, 0.0 if math.isnan(y) else y))
    left, height = axes.transAxes.inverted().transform(at)
    return float(left), float(height)
